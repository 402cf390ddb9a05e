/** What the audit rests on in the template: who may write what, what nobody may, and that it hears last of all. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { auditedTables } from '../../src/names.ts';
import { grantsOf, named, ofType, statementsOf, synthesise } from './synth.ts';

const template = synthesise();
const roles = ofType(template, 'AWS::IAM::Role').map(([role]) => role);
const functions = ofType(template, 'AWS::Lambda::Function');
const [auditTable] = named(template, 'AWS::DynamoDB::Table', 'TablesAudit');
const [heads, headsBucket] = named(template, 'AWS::S3::Bucket', 'Heads');
const text = (value: unknown): string => JSON.stringify(value);

const roleOf = (entry: string): string => named(template, 'AWS::IAM::Role', `${entry}Role`)[0];
const writers = [roleOf('AuditAppendChanges'), roleOf('AppendOutsideChange'), roleOf('ReconcileAudit')];
const arnsOf = (...of: string[]) => of.map((role) => ({ 'Fn::GetAtt': [role, 'Arn'] }));

/** Of each role, what it may do to a resource: action and the partitions that it is held to. */
const allowedOn = (resource: string, pattern: RegExp) =>
  roles.flatMap((role) =>
    grantsOf(template, role)
      .filter(({ Resource }) => text(Resource).includes(`"${resource}"`))
      .flatMap(({ Action, Condition }) =>
        Action.filter((action) => pattern.test(action)).map((action) => ({
          role,
          action,
          rows: Condition?.['ForAllValues:StringLike']?.['dynamodb:LeadingKeys'],
        })),
      ),
  );

describe('entries of the chain', () => {
  const changes = allowedOn(auditTable, /^dynamodb:(?!Query|Scan|GetItem|BatchGetItem|ConditionCheckItem|Describe)/);

  test('can be added by three roles and by nobody else be updated or deleted: no role of the stack may', () => {
    expect(changes.filter(({ action }) => action !== 'dynamodb:PutItem' && action !== 'dynamodb:UpdateItem')).toEqual(
      // Protection of the table is no access to its rows.
      [{ role: roleOf('ProtectTables'), action: 'dynamodb:UpdateTable', rows: undefined }],
    );
    const puts = changes.filter(({ action }) => action === 'dynamodb:PutItem');
    expect(puts).toEqual(writers.map((role) => ({ role, action: 'dynamodb:PutItem', rows: ['main', 'seen#*'] })));
    const updates = changes.filter(({ action }) => action === 'dynamodb:UpdateItem');
    expect(updates).toEqual(writers.map((role) => ({ role, action: 'dynamodb:UpdateItem', rows: ['turn'] })));
  });

  test('no role may do more with tables, buckets and keys than what is written out', () => {
    const all = roles.flatMap((role) => grantsOf(template, role).flatMap(({ Action }) => Action));
    expect(all.filter((action) => action.includes('*') || /PartiQL|BatchWrite|DeleteTable/.test(action))).toEqual([]);
    const [endpoints] = named(template, 'AWS::DynamoDB::Table', 'TablesEndpoints');
    const deleting = roles.filter((role) =>
      grantsOf(template, role).some(
        ({ Action, Resource }) =>
          Action.includes('dynamodb:DeleteItem') && !text(Resource).includes(`"${endpoints}","Arn"`),
      ),
    );
    expect(deleting).toEqual([]);
  });

  test('expire never: only the marks of events carry a time', () => {
    const { Properties } = named(template, 'AWS::DynamoDB::Table', 'TablesAudit')[1];
    expect(Properties.TimeToLiveSpecification).toEqual({ AttributeName: 'expires', Enabled: true });
    expect(Properties.GlobalSecondaryIndexes).toEqual([
      {
        IndexName: 'by_action',
        KeySchema: [
          { AttributeName: 'action', KeyType: 'HASH' },
          { AttributeName: 'sequence', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ]);
  });
});

describe('keys', () => {
  const deniedBy = (part: string) =>
    statementsOf(named(template, 'AWS::KMS::Key', part)[1].Properties.KeyPolicy)
      .filter(({ Effect }) => Effect === 'Deny')
      .map(({ Action, Principal, Condition }) => ({ Action, Principal, Condition }));
  const nobodyReplicates = { Action: ['kms:ReplicateKey'], Principal: { AWS: '*' }, Condition: undefined };
  const allBut = (...of: string[]) => ({ ArnNotEquals: { 'aws:PrincipalArn': arnsOf(...of) } });

  test('heads are signed by those who write the chain, whatever other policies come to say', () => {
    expect(deniedBy('AuditKey')).toEqual([
      { Action: ['kms:Sign'], Principal: { AWS: '*' }, Condition: allBut(...writers) },
      nobodyReplicates,
    ]);
    const [key] = named(template, 'AWS::KMS::Key', 'AuditKey');
    expect(allowedOn(key, /^kms:(?!GetPublicKey|DescribeKey)/).map(({ role, action }) => [role, action])).toEqual(
      writers.map((role) => [role, 'kms:Sign']),
    );
  });

  test('stamps are sealed by those who stamp or judge, and the denial names exactly those who are granted it', () => {
    const [key] = named(template, 'AWS::KMS::Key', 'Stamps');
    const sealing = allowedOn(key, /^kms:/);
    expect(new Set(sealing.map(({ action }) => action))).toEqual(new Set(['kms:GenerateMac']));
    expect(sealing.map(({ role }) => role)).toEqual(expect.arrayContaining(writers));
    const [sealed, replicated] = deniedBy('Stamps');
    expect(replicated).toEqual(nobodyReplicates);
    expect(sealed?.Action).toEqual(['kms:GenerateMac', 'kms:VerifyMac']);
    const excepted = z
      .object({ ArnNotEquals: z.object({ 'aws:PrincipalArn': z.array(z.unknown()) }) })
      .parse(sealed?.Condition).ArnNotEquals['aws:PrincipalArn'];
    expect(new Set(excepted.map(text))).toEqual(new Set(arnsOf(...sealing.map(({ role }) => role)).map(text)));
  });

  test('whoever seals is told with which key, and nobody is who cannot', () => {
    const [key] = named(template, 'AWS::KMS::Key', 'Stamps');
    const sealing = new Set(allowedOn(key, /GenerateMac/).map(({ role }) => text({ 'Fn::GetAtt': [role, 'Arn'] })));
    const told = functions.filter(([, { Properties }]) => text(Properties.Environment).includes('"STAMP_KEY_ID"'));
    expect(told.map(([, { Properties }]) => text(Properties.Role)).sort()).toEqual([...sealing].sort());
  });

  test('live on when a region fails or the stack is deleted', () => {
    for (const [, { Properties, DeletionPolicy }] of ofType(template, 'AWS::KMS::Key')) {
      expect(Properties.MultiRegion).toBe(true);
      expect(DeletionPolicy).toBe('RetainExceptOnCreate');
    }
    expect(named(template, 'AWS::KMS::Key', 'Stamps')[1].Properties).toMatchObject({
      KeySpec: 'HMAC_256',
      KeyUsage: 'GENERATE_VERIFY_MAC',
    });
  });
});

describe('the heads', () => {
  const policy = statementsOf(named(template, 'AWS::S3::BucketPolicy', 'Heads')[1].Properties.PolicyDocument);
  const denied = (action: string) =>
    policy.filter(({ Effect, Action }) => Effect === 'Deny' && Action.includes(action));
  const lock = (environment: string) =>
    named(synthesise({ environment }), 'AWS::S3::Bucket', 'Heads')[1].Properties.ObjectLockConfiguration;

  test('are locked for 90 days, in dev for one, and their bucket goes with no stack', () => {
    const locked = (Days: number) => ({
      ObjectLockEnabled: 'Enabled',
      Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days } },
    });
    expect(lock('prod')).toEqual(locked(90));
    expect(lock('dev')).toEqual(locked(1));
    expect(headsBucket.DeletionPolicy).toBe('Retain');
    expect(headsBucket.UpdateReplacePolicy).toBe('Retain');
    expect(headsBucket.Properties).toMatchObject({
      ObjectLockEnabled: true,
      VersioningConfiguration: { Status: 'Enabled' },
      PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true },
    });
    expect(headsBucket.Properties).not.toHaveProperty('BucketName');
  });

  test('are written by the chain’s writers alone, and taken away by nobody', () => {
    expect(denied('s3:PutObject').map(({ Principal, Condition }) => [Principal, Condition])).toEqual([
      [{ AWS: '*' }, { ArnNotEquals: { 'aws:PrincipalArn': arnsOf(...writers) } }],
    ]);
    for (const action of [
      's3:DeleteObject',
      's3:DeleteObjectVersion',
      's3:PutObjectRetention',
      's3:BypassGovernanceRetention',
      's3:PutBucketObjectLockConfiguration',
      's3:PutLifecycleConfiguration',
    ])
      expect([action, denied(action).map(({ Principal, Condition }) => [Principal, Condition])]).toEqual([
        action,
        [[{ AWS: '*' }, undefined]],
      ]);
    expect(policy.filter(({ Effect }) => Effect === 'Allow')).toEqual([]);
    expect(
      allowedOn(heads, /^s3:(?!ListBucketVersions|GetObjectVersion)/).map(({ role, action }) => [role, action]),
    ).toEqual(writers.map((role) => [role, 's3:PutObject']));
  });
});

describe('what makes the audit hear', () => {
  const mappings = ofType(template, 'AWS::Lambda::EventSourceMapping');

  test('is a mapping for each audited table’s stream, which gives nothing up before the stream does', () => {
    const streams = auditedTables.map((table) => {
      const [id] = named(template, 'AWS::DynamoDB::Table', `Tables${table.charAt(0).toUpperCase()}${table.slice(1)}`);
      return { 'Fn::GetAtt': [id, 'StreamArn'] };
    });
    expect(mappings.map(([, { Properties }]) => Properties.EventSourceArn)).toEqual(streams);
    const [appendChanges] = named(template, 'AWS::Lambda::Function', 'AuditAppendChanges');
    const [queue] = named(template, 'AWS::SQS::Queue', 'DeadLetters');
    for (const [, { Properties }] of mappings) {
      const { EventSourceArn: _, ...rest } = Properties;
      expect(rest).toEqual({
        FunctionName: { Ref: appendChanges },
        BatchSize: 100,
        BisectBatchOnFunctionError: true,
        MaximumRecordAgeInSeconds: 23 * 3_600,
        ParallelizationFactor: 1,
        StartingPosition: 'TRIM_HORIZON',
        DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': [queue, 'Arn'] } } },
      });
    }
  });

  test.each(['prod', 'dev'])(
    'is made after everything else, so that no failed first deployment leaves a head (%s)',
    (environment) => {
      const { Resources } = synthesise({ environment });
      const needed = (id: string): string[] => {
        const { DependsOn = [], Properties } = Resources[id] ?? { Properties: {} };
        const named = [...text(Properties).matchAll(/"(?:Ref|Fn::GetAtt)":(?:"([^"]+)"|\["([^"]+)")/g)];
        return [...[DependsOn].flat(), ...named.map(([, ref, att]) => ref ?? att ?? '')].filter(
          (one) => one in Resources,
        );
      };
      const before = new Set<string>();
      const walk = (id: string): void => {
        for (const other of needed(id))
          if (!before.has(other)) {
            before.add(other);
            walk(other);
          }
      };
      const hearing = Object.keys(Resources).filter((id) => id.startsWith('IdentityListening'));
      const [first = ''] = hearing;
      walk(first);
      const rest = Object.keys(Resources).filter(
        (id) => !hearing.includes(id) && !Resources[id]?.Type.startsWith('AWS::CDK'),
      );
      expect(rest.filter((id) => !before.has(id))).toEqual([]);
      expect(rest.length).toBeGreaterThan(200);
      for (const id of hearing.slice(1)) expect([id, needed(id)]).toEqual([id, expect.arrayContaining([first])]);
    },
  );

  test('leaves what it could not enter in a queue that is encrypted, behind TLS, and kept for 14 days', () => {
    const [id, { Properties }] = named(template, 'AWS::SQS::Queue', 'DeadLetters');
    expect(Properties).toEqual({ MessageRetentionPeriod: 14 * 86_400, SqsManagedSseEnabled: true });
    const [, queuePolicy] = named(template, 'AWS::SQS::QueuePolicy', 'DeadLetters');
    expect(statementsOf(queuePolicy.Properties.PolicyDocument)).toMatchObject([
      { Effect: 'Deny', Action: ['sqs:*'], Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
    ]);
    for (const entry of ['AppendOutsideChange', 'ReconcileAudit'])
      expect(named(template, 'AWS::Lambda::EventInvokeConfig', entry)[1].Properties.DestinationConfig).toEqual({
        OnFailure: { Destination: { 'Fn::GetAtt': [id, 'Arn'] } },
      });
    expect(allowedOn(id, /./).map(({ role, action }) => [role, action])).toEqual(
      writers.map((role) => [role, 'sqs:SendMessage']),
    );
  });
});

describe('the daily jobs', () => {
  test('are the reconciliation and a verification from nothing', () => {
    const daily = ofType(template, 'AWS::Events::Rule').filter(([, { Properties }]) => Properties.ScheduleExpression);
    expect(daily.map(([, { Properties }]) => Properties.ScheduleExpression)).toEqual(['rate(1 day)', 'rate(1 day)']);
    const target = z.tuple([z.object({ Arn: z.unknown(), Input: z.string().optional() })]);
    expect(daily.map(([, { Properties }]) => target.parse(Properties.Targets)[0])).toEqual([
      { Arn: { 'Fn::GetAtt': [named(template, 'AWS::Lambda::Function', 'ReconcileAudit')[0], 'Arn'] } },
      { Arn: { Ref: named(template, 'AWS::StepFunctions::StateMachine', 'VerifyAudit')[0] }, Input: '{}' },
    ]);
  });

  test('verify with a state machine of the runbooks’ name that may invoke its own function and nothing else', () => {
    const [, { Properties }] = named(template, 'AWS::StepFunctions::StateMachine', 'VerifyAudit');
    expect(Properties.StateMachineName).toBe('airunner-prod-verify-audit');
    const turn = { 'Fn::GetAtt': [named(template, 'AWS::Lambda::Function', 'ContinueVerification')[0], 'Arn'] };
    expect(Properties.DefinitionSubstitutions).toEqual({ ContinueVerificationArn: turn });
    const machineRole = named(template, 'AWS::IAM::Role', 'AuditVerifyAuditRole')[0];
    expect(grantsOf(template, machineRole)).toEqual([
      { Effect: 'Allow', Action: ['lambda:InvokeFunction'], Resource: turn },
    ]);
  });

  test('that is over one day before the next begins, and calls for help if it did not come to its end', () => {
    const [id, { Properties }] = named(template, 'AWS::StepFunctions::StateMachine', 'VerifyAudit');
    const definition = z
      .object({ TimeoutSeconds: z.number(), States: z.record(z.string(), z.looseObject({ Type: z.string() })) })
      .parse(JSON.parse(z.string().parse(Properties.DefinitionString)));
    expect(definition.TimeoutSeconds).toBeLessThan(24 * 60 * 60);
    for (const state of Object.values(definition.States))
      if (state.Type === 'Task') expect(state.TimeoutSeconds).toBeLessThan(definition.TimeoutSeconds);
    const watched = ofType(template, 'AWS::CloudWatch::Alarm').filter(
      ([, alarm]) =>
        JSON.stringify(alarm.Properties.Dimensions) ===
        JSON.stringify([{ Name: 'StateMachineArn', Value: { Ref: id } }]),
    );
    expect(watched.map(([, alarm]) => alarm.Properties.MetricName)).toEqual([
      'ExecutionsFailed',
      'ExecutionsTimedOut',
      'ExecutionsAborted',
    ]);
  });

  test('whoever lists, verifies, exports and proves can only read', () => {
    for (const entry of ['ApiListAudit', 'ApiVerifyAudit', 'ApiExportAudit', 'ApiProveEntry', 'ContinueVerification']) {
      const actions = grantsOf(template, roleOf(entry)).flatMap(({ Action }) => Action);
      const reading =
        /^(logs:|dynamodb:(Query|BatchGetItem)|s3:(ListBucketVersions|GetObjectVersion)|kms:(GetPublicKey|GenerateMac))/;
      expect([entry, actions.filter((action) => !reading.test(action))]).toEqual([
        entry,
        entry === 'ApiVerifyAudit'
          ? ['states:StartExecution', 'states:DescribeExecution', 'states:GetExecutionHistory']
          : [],
      ]);
    }
  });
});
