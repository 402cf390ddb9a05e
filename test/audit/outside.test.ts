/** What CloudTrail tells of changes outside the tables, in the shapes that AWS documents: what is entered, as whose, and what never is. */
import { describe, expect, it } from 'vitest';
import { outsideChange } from '../../src/audit/outside.ts';
import type { Own } from '../../src/audit/own-resources.ts';

const account = '123456789012';
const keyId = '1234abcd-12ab-34cd-56ef-1234567890ab';
const mrk = 'mrk-1234abcd12ab34cd56ef1234567890ab';
const keyArn = (id: string) => `arn:aws:kms:eu-central-1:${account}:key/${id}`;
const writer = 'airunner-prod-IdentityAuthorityUpdateTruststoreRole5-AbCdEfGhIjKl';
const own: Own = {
  deployment: { name: 'airunner', environment: 'prod' },
  truststoreBucket: 'airunner-prod-truststore-1a2b',
  headsBucket: 'airunner-prod-heads-3c4d',
  keys: [keyArn(mrk), keyArn(keyId)],
  domain: 'api.airunner.example.com',
  writerRoles: [writer, 'airunner-prod-IdentityAuditAppendChangesRole-Zz'],
};

const assumed = (role: string, session: string, of = account) => ({
  type: 'AssumedRole',
  principalId: `AROAEXAMPLE:${session}`,
  arn: `arn:aws:sts::${of}:assumed-role/${role}/${session}`,
  accountId: of,
  accessKeyId: 'ASIAEXAMPLE',
  sessionContext: {
    sessionIssuer: {
      type: 'Role',
      principalId: 'AROAEXAMPLE',
      arn: `arn:aws:iam::${of}:role/${role}`,
      accountId: of,
      userName: role,
    },
    attributes: { creationDate: '2026-11-20T10:00:00Z', mfaAuthenticated: 'false' },
  },
});
const alice = {
  type: 'IAMUser',
  principalId: 'AIDAEXAMPLE',
  arn: `arn:aws:iam::${account}:user/Alice`,
  accountId: account,
  accessKeyId: 'AKIAEXAMPLE',
  userName: 'Alice',
};
const cloudFormation = {
  ...assumed(`cdk-hnb659fds-cfn-exec-role-${account}-eu-central-1`, 'AWSCloudFormation'),
  invokedBy: 'cloudformation.amazonaws.com',
};

type Parameters = Record<string, unknown> | null;
/** An event as EventBridge hands it to its target. */
const event = (
  service: string,
  eventName: string,
  requestParameters: Parameters,
  more: Record<string, unknown> = {},
) => ({
  version: '0',
  id: '36eb8523-97d0-4518-b33d-ee3579ff19f0',
  'detail-type': 'AWS API Call via CloudTrail',
  source: `aws.${service}`,
  account,
  time: '2026-11-20T12:00:05Z',
  region: 'eu-central-1',
  resources: [],
  detail: {
    eventVersion: '1.09',
    userIdentity: alice,
    eventTime: '2026-11-20T12:00:01Z',
    eventSource: `${service}.amazonaws.com`,
    eventName,
    awsRegion: 'eu-central-1',
    sourceIPAddress: '192.0.2.10',
    userAgent: 'aws-cli/2.31.0',
    requestParameters,
    responseElements: null,
    requestID: 'e9f3a1c2-1111-2222-3333-444455556666',
    eventID: 'f72d3993-864f-48d6-8f16-e26e1ae8dff0',
    readOnly: false,
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: account,
    eventCategory: 'Management',
    ...more,
  },
});
const objectEvent = (eventName: string, bucketName: string, key: string, more: Record<string, unknown> = {}) =>
  event(
    's3',
    eventName,
    { bucketName, Host: `${bucketName}.s3.eu-central-1.amazonaws.com`, key },
    {
      managementEvent: false,
      eventCategory: 'Data',
      resources: [
        { type: 'AWS::S3::Object', ARN: `arn:aws:s3:::${bucketName}/${key}` },
        { accountId: account, type: 'AWS::S3::Bucket', ARN: `arn:aws:s3:::${bucketName}` },
      ],
      ...more,
    },
  );

const arn = (service: string, rest: string) => `arn:aws:${service}:eu-central-1:${account}:${rest}`;
const kmsKey = (id: string) => ({ resources: [{ accountId: account, type: 'AWS::KMS::Key', ARN: keyArn(id) }] });
const fn = 'airunner-prod-IdentityAuditAppendChanges1B2C-kLmNoPqR';
const mapping = 'a1b2c3d4-5678-90ab-cdef-11111EXAMPLE';
const mappingAnswer = {
  uUID: mapping,
  eventSourceArn: arn('dynamodb', 'table/airunner_prod_principals/stream/2026-11-01T00:00:00.000'),
  functionArn: arn('lambda', `function:${fn}`),
  state: 'Disabling',
};
const trust = own.truststoreBucket;

/** What happened, the event, its subject, and its name when one of the deployment's own roles did it. */
const changes: [string, ReturnType<typeof event>, string, string][] = [
  [
    'the truststore is replaced',
    objectEvent('PutObject', trust, 'truststore.pem'),
    `arn:aws:s3:::${trust}/truststore.pem`,
    'truststore_written',
  ],
  [
    'the truststore is deleted',
    objectEvent('DeleteObject', trust, 'truststore.pem'),
    `arn:aws:s3:::${trust}/truststore.pem`,
    'truststore_deleted',
  ],
  [
    'several objects are deleted at once',
    event('s3', 'DeleteObjects', { bucketName: trust, delete: '' }, { managementEvent: false, eventCategory: 'Data' }),
    `arn:aws:s3:::${trust}`,
    'bucket_changed',
  ],
  [
    'a head is deleted',
    objectEvent('DeleteObject', own.headsBucket, 'heads/0999999999999000-ab.json'),
    `arn:aws:s3:::${own.headsBucket}/heads/0999999999999000-ab.json`,
    'bucket_changed',
  ],
  [
    'the bucket’s policy',
    event('s3', 'PutBucketPolicy', { bucketName: trust, bucketPolicy: { Statement: [] }, policy: '' }),
    `arn:aws:s3:::${trust}`,
    'bucket_changed',
  ],
  [
    'the bucket’s versions',
    event('s3', 'PutBucketVersioning', { bucketName: trust, VersioningConfiguration: { Status: 'Suspended' } }),
    `arn:aws:s3:::${trust}`,
    'bucket_changed',
  ],
  [
    'the heads’ lock',
    event('s3', 'PutObjectLockConfiguration', { bucketName: own.headsBucket, 'object-lock': '' }),
    `arn:aws:s3:::${own.headsBucket}`,
    'bucket_changed',
  ],
  [
    'a parameter',
    event(
      'ssm',
      'PutParameter',
      {
        name: '/airunner/prod/server-key',
        type: 'SecureString',
        value: 'HIDDEN_DUE_TO_SECURITY_REASONS',
        overwrite: true,
      },
      { responseElements: { version: 3, tier: 'Standard' } },
    ),
    arn('ssm', 'parameter/airunner/prod/server-key'),
    'parameter_written',
  ],
  [
    'a parameter by its ARN',
    event('ssm', 'PutParameter', { name: arn('ssm', 'parameter/airunner/prod/ca-cert') }),
    arn('ssm', 'parameter/airunner/prod/ca-cert'),
    'parameter_written',
  ],
  [
    'a parameter is deleted',
    event('ssm', 'DeleteParameter', { name: '/airunner/prod/ca-cert' }),
    arn('ssm', 'parameter/airunner/prod/ca-cert'),
    'parameter_deleted',
  ],
  [
    'a secret’s value',
    event(
      'secretsmanager',
      'PutSecretValue',
      { secretId: 'airunner/prod/db', clientRequestToken: 'EXAMPLE' },
      { responseElements: { arn: arn('secretsmanager', 'secret:airunner/prod/db-a1b2c3') } },
    ),
    arn('secretsmanager', 'secret:airunner/prod/db-a1b2c3'),
    'secret_written',
  ],
  [
    'a secret',
    event('secretsmanager', 'UpdateSecret', { secretId: arn('secretsmanager', 'secret:airunner/prod/db-a1b2c3') }),
    arn('secretsmanager', 'secret:airunner/prod/db-a1b2c3'),
    'secret_written',
  ],
  [
    'a secret’s stages',
    event('secretsmanager', 'UpdateSecretVersionStage', { secretId: 'airunner/prod/db', versionStage: 'AWSCURRENT' }),
    arn('secretsmanager', 'secret:airunner/prod/db'),
    'secret_written',
  ],
  [
    'a secret is rotated',
    event('secretsmanager', 'RotateSecret', { secretId: 'airunner/prod/db' }),
    arn('secretsmanager', 'secret:airunner/prod/db'),
    'secret_written',
  ],
  [
    'a secret is deleted',
    event('secretsmanager', 'DeleteSecret', { secretId: 'airunner/prod/db', forceDeleteWithoutRecovery: true }),
    arn('secretsmanager', 'secret:airunner/prod/db'),
    'secret_deleted',
  ],
  [
    'the key’s policy',
    event(
      'kms',
      'PutKeyPolicy',
      { keyId, policyName: 'default', policy: '{}', bypassPolicyLockoutSafetyCheck: false },
      kmsKey(keyId),
    ),
    keyArn(keyId),
    'key_changed',
  ],
  [
    'the key is to be deleted',
    event(
      'kms',
      'ScheduleKeyDeletion',
      { pendingWindowInDays: 7, keyId },
      { ...kmsKey(keyId), responseElements: { keyId: keyArn(keyId), keyState: 'PendingDeletion' } },
    ),
    keyArn(keyId),
    'key_changed',
  ],
  ['the key is disabled', event('kms', 'DisableKey', { keyId: mrk }, kmsKey(mrk)), keyArn(mrk), 'key_changed'],
  [
    'a grant on the key',
    event('kms', 'CreateGrant', { keyId: keyArn(mrk), granteePrincipal: 'x', operations: ['Sign'] }, kmsKey(mrk)),
    keyArn(mrk),
    'key_changed',
  ],
  [
    'an alias',
    event(
      'kms',
      'UpdateAlias',
      { aliasName: 'alias/mine', targetKeyId: keyId },
      { resources: [{ ARN: arn('kms', 'alias/mine') }, { ARN: keyArn(keyId) }] },
    ),
    keyArn(keyId),
    'key_changed',
  ],
  [
    'a key named by its resources only',
    event('kms', 'EnableKey', { keyId: 'alias/mine' }, kmsKey(keyId)),
    keyArn(keyId),
    'key_changed',
  ],
  [
    'a stream’s mapping',
    event(
      'lambda',
      'UpdateEventSourceMapping20150331',
      { uUID: mapping, enabled: false },
      { responseElements: mappingAnswer },
    ),
    arn('lambda', `event-source-mapping:${mapping}`),
    'stream_changed',
  ],
  [
    'a stream’s mapping is deleted',
    event('lambda', 'DeleteEventSourceMapping20150331', { uUID: mapping }, { responseElements: mappingAnswer }),
    arn('lambda', `event-source-mapping:${mapping}`),
    'stream_changed',
  ],
  [
    'another function is put on the stream',
    event(
      'lambda',
      'CreateEventSourceMapping20150331',
      { eventSourceArn: mappingAnswer.eventSourceArn, functionName: 'mine' },
      { responseElements: { ...mappingAnswer, functionArn: arn('lambda', 'function:mine') } },
    ),
    arn('lambda', `event-source-mapping:${mapping}`),
    'stream_changed',
  ],
  [
    'a function’s code',
    event('lambda', 'UpdateFunctionCode20150331v2', {
      functionName: arn('lambda', `function:${fn}`),
      publish: true,
      dryRun: false,
    }),
    arn('lambda', `function:${fn}`),
    'function_changed',
  ],
  [
    'a function’s configuration',
    event('lambda', 'UpdateFunctionConfiguration20150331v2', {
      functionName: 'airunner-prod-sign-certificate',
      environment: {},
    }),
    arn('lambda', 'function:airunner-prod-sign-certificate'),
    'function_changed',
  ],
  [
    'a function by a part of its ARN',
    event('lambda', 'AddPermission20150331v2', { functionName: `${account}:function:${fn}:live` }),
    arn('lambda', `function:${fn}`),
    'function_changed',
  ],
  [
    'a function is stopped',
    event('lambda', 'PutFunctionConcurrency20171031', { functionName: fn, reservedConcurrentExecutions: 0 }),
    arn('lambda', `function:${fn}`),
    'function_changed',
  ],
  [
    'a table’s settings',
    event('dynamodb', 'UpdateTable', {
      tableName: 'airunner_prod_principals',
      streamSpecification: { streamEnabled: false },
    }),
    arn('dynamodb', 'table/airunner_prod_principals'),
    'table_changed',
  ],
  [
    'a table is deleted',
    event('dynamodb', 'DeleteTable', { tableName: 'airunner_prod_audit' }),
    arn('dynamodb', 'table/airunner_prod_audit'),
    'table_changed',
  ],
  [
    'a table by its ARN',
    event('dynamodb', 'UpdateTable', { tableName: arn('dynamodb', 'table/airunner_prod_controls') }),
    arn('dynamodb', 'table/airunner_prod_controls'),
    'table_changed',
  ],
  [
    'backups are switched off',
    event('dynamodb', 'UpdateContinuousBackups', {
      tableName: 'airunner_prod_audit',
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: false },
    }),
    arn('dynamodb', 'table/airunner_prod_audit'),
    'table_changed',
  ],
  [
    'a table is restored',
    event('dynamodb', 'RestoreTableToPointInTime', {
      sourceTableName: 'other',
      targetTableName: 'airunner_prod_principals',
    }),
    arn('dynamodb', 'table/airunner_prod_principals'),
    'table_changed',
  ],
  [
    'a table is restored from a backup',
    event('dynamodb', 'RestoreTableFromBackup', {
      targetTableName: 'airunner_prod_principals',
      backupArn: arn('dynamodb', 'table/other/backup/01'),
    }),
    arn('dynamodb', 'table/airunner_prod_principals'),
    'table_changed',
  ],
  [
    'what expires',
    event('dynamodb', 'UpdateTimeToLive', {
      tableName: 'airunner_prod_certificates',
      timeToLiveSpecification: { enabled: true, attributeName: 'expires_at' },
    }),
    arn('dynamodb', 'table/airunner_prod_certificates'),
    'table_changed',
  ],
  [
    'a role’s policy',
    event(
      'iam',
      'PutRolePolicy',
      { roleName: writer, policyName: 'more', policyDocument: '{}' },
      { awsRegion: 'us-east-1' },
    ),
    `arn:aws:iam::${account}:role/${writer}`,
    'role_changed',
  ],
  [
    'who may assume a role',
    event('iam', 'UpdateAssumeRolePolicy', { roleName: writer, policyDocument: '{}' }, { awsRegion: 'us-east-1' }),
    `arn:aws:iam::${account}:role/${writer}`,
    'role_changed',
  ],
  [
    'a rule is disabled',
    event('events', 'DisableRule', { name: 'airunner-prod-IdentityAuditReconcile-Xy', eventBusName: 'default' }),
    arn('events', 'rule/airunner-prod-IdentityAuditReconcile-Xy'),
    'rule_changed',
  ],
  [
    'a rule’s targets',
    event('events', 'RemoveTargets', { rule: 'airunner-prod-IdentityAuditReconcile-Xy', ids: ['Target0'] }),
    arn('events', 'rule/airunner-prod-IdentityAuditReconcile-Xy'),
    'rule_changed',
  ],
  [
    'a schedule',
    event('scheduler', 'UpdateSchedule', { name: 'airunner-prod-IdentityAuditVerify-Xy', state: 'DISABLED' }),
    arn('scheduler', 'schedule/default/airunner-prod-IdentityAuditVerify-Xy'),
    'schedule_changed',
  ],
  [
    'a workflow',
    event('states', 'UpdateStateMachine', {
      stateMachineArn: arn('states', 'stateMachine:airunner-prod-verify-audit'),
    }),
    arn('states', 'stateMachine:airunner-prod-verify-audit'),
    'workflow_changed',
  ],
  [
    'an alarm',
    event('monitoring', 'DisableAlarmActions', { alarmNames: ['theirs', 'airunner-prod-OutOfBand-Xy'] }),
    arn('cloudwatch', 'alarm:airunner-prod-OutOfBand-Xy'),
    'alarm_changed',
  ],
  [
    'the domain',
    event('apigateway', 'UpdateDomainName', {
      domainName: own.domain,
      updateDomainNameInput: { patchOperations: [] },
      template: false,
    }),
    `arn:aws:apigateway:eu-central-1::/domainnames/${own.domain}`,
    'domain_changed',
  ],
];

describe('a change outside the tables', () => {
  it.each(changes)('%s by somebody is out of band, and says who', (_what, call, subject) => {
    const draft = outsideChange(own, call);
    expect(draft).toMatchObject({
      event_ids: ['cloudtrail:f72d3993-864f-48d6-8f16-e26e1ae8dff0'],
      time: Date.parse('2026-11-20T12:00:01Z'),
      action: 'out_of_band',
      actor: alice.arn,
      request_id: 'e9f3a1c2-1111-2222-3333-444455556666',
      subject,
    });
    expect(draft?.details).toEqual({
      event: call.detail.eventName,
      source: call.detail.eventSource,
      region: call.detail.awsRegion,
      resources: [subject],
      user_type: 'IAMUser',
      source_ip: '192.0.2.10',
    });
  });

  it.each(changes)('%s by a function of the deployment has its own name', (_what, call, subject, action) => {
    const userIdentity = assumed(writer, 'airunner-prod-update-truststore');
    const draft = outsideChange(own, { ...call, detail: { ...call.detail, userIdentity } });
    expect(draft).toMatchObject({ action, subject, actor: userIdentity.arn });
  });

  it.each(changes)('%s in a deployment is no alarm', (_what, call) => {
    const detail = { ...call.detail, userIdentity: cloudFormation, sourceIPAddress: 'cloudformation.amazonaws.com' };
    expect(outsideChange(own, { ...call, detail })).toMatchObject({
      action: 'deployed',
      actor: cloudFormation.arn,
      details: { invoked_by: 'cloudformation.amazonaws.com' },
    });
  });

  it('of several parameters is one entry that names those of the deployment', () => {
    const names = ['/airunner/prod/ca-cert', '/airunner/prod/server-key', '/theirs/prod/x'];
    const draft = outsideChange(own, event('ssm', 'DeleteParameters', { names }));
    expect(draft?.subject).toBe(arn('ssm', 'parameter/airunner/prod/*'));
    expect(draft?.details.resources).toEqual([
      arn('ssm', 'parameter/airunner/prod/ca-cert'),
      arn('ssm', 'parameter/airunner/prod/server-key'),
    ]);
  });

  it.each(['StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors'])(
    'that blinds the audit itself (%s) is out of band, whoever does it',
    (eventName) => {
      const name = eventName === 'PutEventSelectors' ? { trailName: 'org' } : { name: arn('cloudtrail', 'trail/org') };
      for (const userIdentity of [alice, cloudFormation, assumed(writer, 'x')])
        expect(outsideChange(own, event('cloudtrail', eventName, name, { userIdentity }))).toMatchObject({
          action: 'out_of_band',
          subject: arn('cloudtrail', 'trail/org'),
        });
    },
  );

  it('in another partition is named as that partition does', () => {
    const draft = outsideChange(
      own,
      event('ssm', 'DeleteParameter', { name: '/airunner/prod/x' }, { awsRegion: 'us-gov-west-1' }),
    );
    expect(draft?.subject).toBe(`arn:aws-us-gov:ssm:us-gov-west-1:${account}:parameter/airunner/prod/x`);
  });
});

describe('who is taken for the deployment', () => {
  const write = (userIdentity: unknown, more = {}) =>
    outsideChange(own, objectEvent('PutObject', trust, 'truststore.pem', { userIdentity, ...more }))?.action;

  it.each([
    ['a role of another account with the same name', assumed(writer, 'x', '999999999999')],
    ['a role whose name only begins like one', assumed(`${writer}2`, 'x')],
    ['a session that calls itself one', assumed('admin', writer)],
    ['a user with a role’s name', { ...alice, userName: writer, arn: `arn:aws:iam::${account}:user/${writer}` }],
    ['a federated user of such a role', { ...assumed(writer, 'x'), type: 'FederatedUser' }],
    ['another service', { type: 'AWSService', invokedBy: 'backup.amazonaws.com' }],
    ['nobody', undefined],
  ])('not %s', (_who, userIdentity) => {
    expect(write(userIdentity)).toBe('out_of_band');
  });

  it('not who merely says in the user agent to be CloudFormation', () => {
    expect(write(alice, { userAgent: 'cloudformation.amazonaws.com' })).toBe('out_of_band');
  });

  it('a service, an account or nobody is still named as far as the event does', () => {
    const actorOf = (userIdentity: unknown) =>
      outsideChange(own, objectEvent('PutObject', trust, 'truststore.pem', { userIdentity }))?.actor;
    expect(actorOf({ type: 'AWSService', invokedBy: 'backup.amazonaws.com' })).toBe('backup.amazonaws.com');
    expect(actorOf({ type: 'AWSAccount', accountId: '999999999999', principalId: 'AIDA' })).toBe('999999999999');
    expect(actorOf(undefined)).toBe('unknown');
  });
});

describe('no entry comes of', () => {
  it.each<[string, unknown]>([
    ['a call that was refused', event('kms', 'DisableKey', { keyId }, { ...kmsKey(keyId), errorCode: 'AccessDenied' })],
    [
      'a signature',
      event('kms', 'Sign', { keyId, signingAlgorithm: 'ECDSA_SHA_256' }, { ...kmsKey(keyId), readOnly: true }),
    ],
    [
      'a seal',
      event('kms', 'GenerateMac', { keyId, macAlgorithm: 'HMAC_SHA_256' }, { ...kmsKey(keyId), readOnly: true }),
    ],
    [
      'a read that an old record does not call one',
      event('secretsmanager', 'GetSecretValue', { secretId: 'airunner/prod/db' }, { readOnly: undefined }),
    ],
    ['a read of the truststore', objectEvent('GetObject', trust, 'truststore.pem', { readOnly: true })],
    ['another account’s key', event('kms', 'DisableKey', { keyId: 'ffff' }, kmsKey('ffff'))],
    ['another bucket', objectEvent('PutObject', `${trust}-other`, 'truststore.pem')],
    ['another deployment’s parameter', event('ssm', 'PutParameter', { name: '/airunner/prod2/ca-cert' })],
    [
      'a parameter whose value names ours',
      event('ssm', 'PutParameter', {
        name: '/theirs',
        value: '/airunner/prod/ca-cert',
        description: '/airunner/prod/x',
      }),
    ],
    ['another deployment’s secret', event('secretsmanager', 'PutSecretValue', { secretId: 'airunner/production/db' })],
    ['another deployment’s table', event('dynamodb', 'DeleteTable', { tableName: 'airunner_prod2_principals' })],
    ['a table that is not among the seven', event('dynamodb', 'DeleteTable', { tableName: 'airunner_prod_scratch' })],
    ['a backup', event('dynamodb', 'CreateBackup', { tableName: 'airunner_prod_principals', backupName: 'daily' })],
    [
      'a row, where the trail records rows',
      event(
        'dynamodb',
        'PutItem',
        { tableName: 'airunner_prod_principals', key: { principal_id: 'x' } },
        { managementEvent: false, eventCategory: 'Data' },
      ),
    ],
    [
      'a call of a function',
      event('lambda', 'Invoke', { functionName: fn }, { managementEvent: false, eventCategory: 'Data' }),
    ],
    ['another’s function', event('lambda', 'UpdateFunctionCode20150331v2', { functionName: 'airunner-production-x' })],
    [
      'another’s mapping',
      event(
        'lambda',
        'UpdateEventSourceMapping20150331',
        { uUID: mapping },
        {
          responseElements: {
            functionArn: arn('lambda', 'function:theirs'),
            eventSourceArn: arn('dynamodb', 'table/theirs/stream/1'),
          },
        },
      ),
    ],
    [
      'a run of the workflow',
      event('states', 'StartExecution', { stateMachineArn: arn('states', 'stateMachine:airunner-prod-verify-audit') }),
    ],
    ['another’s role', event('iam', 'PutRolePolicy', { roleName: 'theirs' })],
    ['another domain', event('apigateway', 'UpdateDomainName', { domainName: 'theirs.example.com' })],
    ['a trail’s tags', event('cloudtrail', 'AddTags', { name: 'org' })],
    ['a service that the deployment does not use', event('ec2', 'RunInstances', { name: '/airunner/prod/x' })],
    ['a service called like a part of every object', event('__proto__', 'PutParameter', { name: '/airunner/prod/x' })],
    ['no parameters at all', event('ssm', 'PutParameter', null)],
  ])('%s', (_what, call) => {
    expect(outsideChange(own, call)).toBeNull();
  });

  it('a head that the audit itself writes: its entry would want another head', () => {
    const key = 'heads/0999999999999000-ab.json';
    const userIdentity = assumed('airunner-prod-IdentityAuditAppendChangesRole-Zz', fn);
    expect(outsideChange(own, objectEvent('PutObject', own.headsBucket, key, { userIdentity }))).toBeNull();
    expect(outsideChange(own, objectEvent('PutObject', own.headsBucket, key))?.action).toBe('out_of_band');
    expect(outsideChange(own, objectEvent('DeleteObject', own.headsBucket, key, { userIdentity }))).not.toBeNull();
  });
});

describe('secrets', () => {
  const secret = 'correct-horse-battery-staple';
  /** A secret in every place of a record that a caller fills, besides the names by which the record is found. */
  const tainted = (call: ReturnType<typeof event>) => ({
    ...call,
    detail: {
      ...call.detail,
      userAgent: secret,
      errorMessage: secret,
      requestParameters: {
        ...call.detail.requestParameters,
        value: secret,
        secretString: secret,
        secretBinary: secret,
        description: secret,
        environment: { variables: { TOKEN: secret } },
        policy: `{"Sid":"${secret}"}`,
        tags: [{ key: secret, value: secret }],
      },
      responseElements: { ...(call.detail.responseElements as object | null), secretString: secret, password: secret },
      additionalEventData: { note: secret },
      serviceEventDetails: { note: secret },
    },
  });

  it.each(changes)('of a record on %s stay out of the entry', (_what, call) => {
    const draft = outsideChange(own, tainted(call));
    expect(draft).not.toBeNull();
    expect(JSON.stringify(draft)).not.toContain(secret);
  });

  it('are not in the error either, where an event cannot be read', () => {
    const broken = tainted(event('ssm', 'PutParameter', { name: '/airunner/prod/x' }));
    const failing = () => outsideChange(own, { ...broken, detail: { ...broken.detail, eventTime: secret } });
    expect(failing).toThrow();
    expect(failing).not.toThrow(secret);
  });
});

it('an event that is not CloudTrail’s is refused', () => {
  const call = event('ssm', 'PutParameter', { name: '/airunner/prod/x' });
  expect(() => outsideChange(own, { ...call, 'detail-type': 'Object Created' })).toThrow();
  expect(() => outsideChange(own, { ...call, detail: { ...call.detail, eventID: undefined } })).toThrow();
});

it('a caller cannot make an entry long', () => {
  const userIdentity = { ...alice, arn: `arn:aws:iam::${account}:user/${'x'.repeat(100_000)}` };
  const draft = outsideChange(
    own,
    event('ssm', 'PutParameter', { name: `/airunner/prod/${'y'.repeat(100_000)}` }, { userIdentity }),
  );
  expect(JSON.stringify(draft).length).toBeLessThan(10_000);
});
