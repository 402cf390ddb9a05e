/** What security depends on in the template that is deployed. */
import { describe, expect, test } from 'vitest';
import { EverleafStack } from '../../lib/stack.ts';
import { config, grantsOf, named, newApp, ofType, statementsOf, synthesise, templateOf } from './synth.ts';

const template = synthesise();
const functions = ofType(template, 'AWS::Lambda::Function');

describe('the gate', () => {
  const [authorizerId, authorizer] = named(template, 'AWS::ApiGateway::Authorizer', 'Gate');
  const methods = ofType(template, 'AWS::ApiGateway::Method');

  test('is asked on every method of every path, also where nothing is', () => {
    for (const [id, { Properties }] of methods)
      expect([id, Properties.AuthorizationType, Properties.AuthorizerId]).toEqual([
        id,
        'CUSTOM',
        { Ref: authorizerId },
      ]);
    const paths = ofType(template, 'AWS::ApiGateway::Resource').map(([id]) => ({ Ref: id }));
    const any = methods.filter(([, { Properties }]) => Properties.HttpMethod === 'ANY');
    expect(any).toHaveLength(paths.length + 1);
    for (const path of paths) expect(any.map(([, { Properties }]) => Properties.ResourceId)).toContainEqual(path);
    expect(paths.length).toBeGreaterThan(8);
  });

  test('remembers no answer and needs nothing of the request to be asked', () => {
    expect(authorizer.Properties).toMatchObject({ Type: 'REQUEST', AuthorizerResultTtlInSeconds: 0 });
    expect(authorizer.Properties).not.toHaveProperty('IdentitySource');
  });

  test('cannot be gone around: no default endpoint, no call from the console', () => {
    expect(named(template, 'AWS::ApiGateway::RestApi', 'Api')[1].Properties.DisableExecuteApiEndpoint).toBe(true);
    for (const [, { Properties }] of ofType(template, 'AWS::Lambda::Permission'))
      expect(JSON.stringify(Properties.SourceArn)).not.toContain('test-invoke-stage');
  });

  test('reads principals, certificates and controls in one request, and nothing else', () => {
    const [, { Properties }] = named(template, 'AWS::IAM::Policy', 'AuthorizeRequest');
    const [logs, ...reads] = statementsOf(Properties.PolicyDocument);
    expect(logs?.Action).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents']);
    expect(reads.map(({ Action, Condition }) => [Action, Condition])).toEqual([[['dynamodb:BatchGetItem'], undefined]]);
    expect(reads[0]?.Resource).toHaveLength(3);
  });

  test('has concurrency of its own only where the context names it', () => {
    const reserved = (from: typeof template) =>
      named(from, 'AWS::Lambda::Function', 'AuthorizeRequest')[1].Properties.ReservedConcurrentExecutions;
    expect(reserved(template)).toBeUndefined();
    expect(reserved(synthesise({ authorizerReservedConcurrency: 50 }))).toBe(50);
  });

  test('answers a denial with its reason, what it cannot decide with 503, and all else as a problem document', () => {
    const responses = Object.fromEntries(
      ofType(template, 'AWS::ApiGateway::GatewayResponse').map(([, { Properties }]) => [
        Properties.ResponseType,
        [Properties.StatusCode, Properties.ResponseTemplates],
      ]),
    );
    const unavailable = ['503', { 'application/json': '{"message": "authentication unavailable"}' }];
    const title = '{"type": "about:blank", "title": $context.error.messageString}';
    const problem = [undefined, { 'application/json': title }];
    expect(responses).toEqual({
      ACCESS_DENIED: ['401', { 'application/json': '{"message": $context.authorizer.reason}' }],
      UNAUTHORIZED: unavailable,
      AUTHORIZER_FAILURE: unavailable,
      AUTHORIZER_CONFIGURATION_ERROR: unavailable,
      DEFAULT_4XX: problem,
      DEFAULT_5XX: problem,
    });
  });
});

describe('the domain', () => {
  const [, domain] = named(template, 'AWS::ApiGateway::DomainName', 'Domain');

  test('asks for client certificates over TLS 1.2, and its truststore version is not the template’s to set', () => {
    expect(domain.Properties).toMatchObject({
      DomainName: 'airunner.example.com',
      SecurityPolicy: 'TLS_1_2',
      EndpointConfiguration: { Types: ['REGIONAL'] },
    });
    expect(domain.Properties.MutualTlsAuthentication).toEqual({
      TruststoreUri: {
        'Fn::Join': ['', ['s3://', { Ref: named(template, 'AWS::S3::Bucket', 'Truststore')[0] }, '/truststore.pem']],
      },
    });
  });

  test('is made after the truststore has its first root', () => {
    expect(domain.DependsOn).toContain(named(template, 'Custom::PreparedAuthority', '')[0]);
  });

  test('gets its own certificate and an alias where a hosted zone is given', () => {
    const zoned = synthesiseWithZone();
    expect(zoned.record).toMatchObject({ HostedZoneId: 'Z123', Name: 'airunner.example.com.', Type: 'A' });
    expect(zoned.validation).toEqual([{ DomainName: 'airunner.example.com', HostedZoneId: 'Z123' }]);
    expect(ofType(template, 'AWS::Route53::RecordSet')).toEqual([]);
  });
});

describe('the authority', () => {
  const [keyId, key] = named(template, 'AWS::KMS::Key', 'Authority');
  const [signerRole] = named(template, 'AWS::IAM::Role', 'SignCertificate');

  test('has a signing key that lives on when a region fails or the stack is deleted', () => {
    expect(key.Properties).toMatchObject({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', MultiRegion: true });
    expect(key.DeletionPolicy).toBe('RetainExceptOnCreate');
  });

  test('signs through one role, whatever other policies come to say', () => {
    const [signing, replicating] = statementsOf(key.Properties.KeyPolicy).filter(({ Effect }) => Effect === 'Deny');
    expect(replicating).toEqual({
      Effect: 'Deny',
      Action: ['kms:ReplicateKey'],
      Resource: '*',
      Principal: { AWS: '*' },
    });
    expect(signing).toEqual({
      Effect: 'Deny',
      Action: ['kms:Sign'],
      Resource: '*',
      Principal: { AWS: '*' },
      Condition: { ArnNotEquals: { 'aws:PrincipalArn': [{ 'Fn::GetAtt': [signerRole, 'Arn'] }] } },
    });
    const signers = ofType(template, 'AWS::IAM::Role').filter(([role]) =>
      grantsOf(template, role).some(
        ({ Action, Resource }) =>
          Action.some((action) => /^kms:(Sign|\*|CreateGrant)/.test(action)) &&
          JSON.stringify(Resource).includes(keyId),
      ),
    );
    expect(signers.map(([role]) => role)).toEqual([signerRole]);
    expect(grantsOf(template, signerRole).find(({ Action }) => Action.includes('kms:Sign'))).toMatchObject({
      Resource: { 'Fn::GetAtt': [keyId, 'Arn'] },
      Condition: { StringEquals: { 'kms:SigningAlgorithm': 'ECDSA_SHA_256' } },
    });
  });

  test('keeps its truststore private, versioned, behind TLS, under no fixed name', () => {
    const [bucketId, bucket] = named(template, 'AWS::S3::Bucket', 'Truststore');
    expect(bucket.DeletionPolicy).toBe('RetainExceptOnCreate');
    expect(bucket.Properties).not.toHaveProperty('BucketName');
    expect(bucket.Properties).toMatchObject({
      VersioningConfiguration: { Status: 'Enabled' },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    });
    const [, { Properties }] = named(template, 'AWS::S3::BucketPolicy', 'Truststore');
    expect(Properties.Bucket).toEqual({ Ref: bucketId });
    const denials = statementsOf(Properties.PolicyDocument).filter(({ Effect }) => Effect === 'Deny');
    expect(denials.map(({ Condition }) => Condition)).toEqual([
      { Bool: { 'aws:SecureTransport': 'false' } },
      { NumericLessThan: { 's3:TlsVersion': 1.2 } },
    ]);
  });

  test('lets two functions write the truststore, and the preparation alone remove it', () => {
    const holders = (action: string) =>
      ofType(template, 'AWS::IAM::Role')
        .filter(([role]) =>
          grantsOf(template, role).some(
            ({ Action, Resource }) =>
              Action.includes(action) && !JSON.stringify(Resource).includes('IdentityAuditHeads'),
          ),
        )
        .map(([role]) => role.replace(/^IdentityAuthority|Role.*$/g, ''));
    expect(holders('s3:PutObject')).toEqual(['UpdateTruststore', 'PrepareAuthority']);
    expect(holders('s3:DeleteObjectVersion')).toEqual(['PrepareAuthority']);
    expect(holders('apigateway:PATCH')).toEqual(['UpdateTruststore']);
  });
});

describe('the tables', () => {
  const tables = ofType(template, 'AWS::DynamoDB::Table');

  test('are the seven that the runbooks type', () => {
    expect(tables.map(([, { Properties }]) => Properties.TableName)).toEqual(
      ['principals', 'certificates', 'endpoints', 'jobs', 'credentials', 'controls', 'audit'].map(
        (name) => `airunner_prod_${name}`,
      ),
    );
  });

  test.each(tables)('%s can be restored, is billed by use, and goes only with a failed creation', (_, table) => {
    expect(table.DeletionPolicy).toBe('RetainExceptOnCreate');
    expect(table.UpdateReplacePolicy).toBe('Retain');
    expect(table.Properties).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
    // Set in the template it would be on before everything else stands.
    expect(table.Properties).not.toHaveProperty('DeletionProtectionEnabled');
  });

  test('stream both images to the audit, all but the audit’s own', () => {
    for (const [, { Properties }] of tables)
      expect(Properties.StreamSpecification).toEqual(
        Properties.TableName === 'airunner_prod_audit' ? undefined : { StreamViewType: 'NEW_AND_OLD_IMAGES' },
      );
  });

  test('are protected last of all, and not in dev', () => {
    const [, protection] = named(template, 'Custom::ProtectedTables', '');
    const waited = [protection.DependsOn].flat();
    const late = ['AWS::ApiGateway::Stage', 'AWS::ApiGateway::DomainName', 'AWS::ApiGateway::BasePathMapping'];
    for (const type of late) expect(waited).toContain(named(template, type, '')[0]);
    expect(ofType(synthesise({ environment: 'dev' }), 'Custom::ProtectedTables')).toEqual([]);
  });
});

describe('every function', () => {
  test.each(functions)('%s has a role and a log group of its own', (_, { Properties }) => {
    const others = functions.filter(([, other]) => other.Properties !== Properties);
    expect(others.map(([, other]) => other.Properties.Role)).not.toContainEqual(Properties.Role);
    expect(others.map(([, other]) => other.Properties.LoggingConfig)).not.toContainEqual(Properties.LoggingConfig);
    expect(Properties.Runtime).toBe('nodejs24.x');
  });

  test('is told names and addresses, no secrets', () => {
    const known = [
      'AUDIT_KEY_ID',
      'CA_KEY_ID',
      'DOMAIN_NAME',
      'EVERLEAF_ENVIRONMENT',
      'EVERLEAF_NAME',
      'HEADS_BUCKET',
      'POWERTOOLS_SERVICE_NAME',
      'REACHABLE',
      'STAMP_KEY_ID',
      'TRUSTSTORE_BUCKET',
      'VERIFY_STATE_MACHINE',
      'WRITER_ROLE_NAMES',
    ];
    const told = functions.flatMap(([, { Properties }]) => Object.keys(variablesOf(Properties)));
    expect([...new Set(told)].sort()).toEqual(known);
  });

  test('logs under a generated name, kept for three months', () => {
    const groups = ofType(template, 'AWS::Logs::LogGroup');
    expect(groups).toHaveLength(functions.length);
    for (const [, { Properties }] of groups) expect(Properties).toEqual({ RetentionInDays: 90 });
  });

  test('is granted named actions on named resources', () => {
    for (const [id, { Properties }] of ofType(template, 'AWS::IAM::Policy'))
      for (const { Effect, Action, Resource } of statementsOf(Properties.PolicyDocument)) {
        expect([id, Effect]).toEqual([id, 'Allow']);
        for (const action of Action) expect([id, action]).not.toContainEqual(expect.stringContaining('*'));
        // Named by what is made when they are: a head by its hash, an execution by who asked for it.
        const named = JSON.stringify(Resource)
          .replaceAll('/heads/*', '')
          .replaceAll(/(:execution:.*?):\*/g, '$1');
        expect([id, named]).not.toContainEqual(expect.stringContaining('*'));
      }
    for (const [, { Properties }] of ofType(template, 'AWS::IAM::Role')) {
      expect(Properties).not.toHaveProperty('ManagedPolicyArns');
      expect(Properties).not.toHaveProperty('RoleName');
    }
  });
});

test('no custom resource is asked again by Lambda when it failed', () => {
  const once = ofType(template, 'AWS::Lambda::EventInvokeConfig')
    .filter(([, { Properties }]) => Properties.MaximumRetryAttempts === 0)
    .map(([, { Properties }]) => JSON.stringify(Properties.FunctionName).replace('{"Ref":', '').replace('}', ''));
  const custom = Object.values(template.Resources).filter(({ Type }) => Type.startsWith('Custom::'));
  expect(custom).toHaveLength(2);
  for (const { Properties } of custom)
    expect(once.some((id) => JSON.stringify(Properties.ServiceToken).includes(id))).toBe(true);
});

test('a deployment says what its users need to know', () => {
  expect(Object.keys(template.Outputs)).toEqual([
    'Name',
    'Environment',
    'Domain',
    'DomainCertificateArn',
    'TruststoreBucket',
    'RegionalDomainName',
    'HeadsBucket',
    'AuditKeyArn',
    'InfoTopicArn',
    'WarningTopicArn',
    'CriticalTopicArn',
  ]);
});

const variablesOf = (properties: Record<string, unknown>): object => {
  const { Environment } = properties;
  const variables = typeof Environment === 'object' && Environment !== null && 'Variables' in Environment;
  return variables && typeof Environment.Variables === 'object' && Environment.Variables !== null
    ? Environment.Variables
    : {};
};

function synthesiseWithZone() {
  const app = newApp();
  const { certificateArn: _, ...rest } = config;
  const zoned = templateOf(app, new EverleafStack(app, 'Everleaf', { ...rest, hostedZoneId: 'Z123' }));
  return {
    record: named(zoned, 'AWS::Route53::RecordSet', 'Alias')[1].Properties,
    validation: named(zoned, 'AWS::CertificateManager::Certificate', '')[1].Properties.DomainValidationOptions,
  };
}
