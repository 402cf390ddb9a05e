/** Events of CloudTrail as EventBridge hands them on, in the shapes that AWS documents: a deployment's, and what changes it outside its tables. */
import type { Own } from '../../src/audit/own-resources.ts';

export const account = '123456789012';
export const keyId = '1234abcd-12ab-34cd-56ef-1234567890ab';
export const mrk = 'mrk-1234abcd12ab34cd56ef1234567890ab';
const keyArn = (id: string) => `arn:aws:kms:eu-central-1:${account}:key/${id}`;
export const writer = 'airunner-prod-IdentityAuthorityUpdateTruststoreRole5-AbCdEfGhIjKl';
export const own: Own = {
  deployment: { name: 'airunner', environment: 'prod' },
  truststoreBucket: 'airunner-prod-truststore-1a2b',
  headsBucket: 'airunner-prod-heads-3c4d',
  keys: [keyArn(mrk), keyArn(keyId)],
  domain: 'api.airunner.example.com',
  writerRoles: [writer, 'airunner-prod-IdentityAuditAppendChangesRole-Zz'],
};

export const assumed = (role: string, session: string, of = account) => ({
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
export const alice = {
  type: 'IAMUser',
  principalId: 'AIDAEXAMPLE',
  arn: `arn:aws:iam::${account}:user/Alice`,
  accountId: account,
  accessKeyId: 'AKIAEXAMPLE',
  userName: 'Alice',
};
export const cloudFormation = {
  ...assumed(`cdk-hnb659fds-cfn-exec-role-${account}-eu-central-1`, 'AWSCloudFormation'),
  invokedBy: 'cloudformation.amazonaws.com',
};

type Parameters = Record<string, unknown> | null;
/** An event as EventBridge hands it to its target. */
export const event = (
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
export const objectEvent = (eventName: string, bucketName: string, key: string, more: Record<string, unknown> = {}) =>
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

export const arn = (service: string, rest: string) => `arn:aws:${service}:eu-central-1:${account}:${rest}`;
export const kmsKey = (id: string) => ({ resources: [{ accountId: account, type: 'AWS::KMS::Key', ARN: keyArn(id) }] });
export const fn = 'airunner-prod-IdentityAuditAppendChanges1B2C-kLmNoPqR';
export const mapping = 'a1b2c3d4-5678-90ab-cdef-11111EXAMPLE';
const mappingAnswer = {
  uUID: mapping,
  eventSourceArn: arn('dynamodb', 'table/airunner_prod_principals/stream/2026-11-01T00:00:00.000'),
  functionArn: arn('lambda', `function:${fn}`),
  state: 'Disabling',
};
export const trust = own.truststoreBucket;

/** What happened, the event, its subject, and its name when one of the deployment's own roles did it. */
export const changes: [string, ReturnType<typeof event>, string, string][] = [
  [
    'somebody’s own function that is to have one of our roles',
    event('lambda', 'CreateFunction20150331', {
      functionName: 'theirs',
      role: `arn:aws:iam::${account}:role/${writer}`,
    }),
    arn('lambda', 'function:theirs'),
    'function_changed',
  ],
  [
    'whom the alarms call',
    event('sns', 'Unsubscribe', { subscriptionArn: `${arn('sns', 'airunner-prod-IdentityAlertingCritical-X')}:1-2` }),
    arn('sns', 'airunner-prod-IdentityAlertingCritical-X'),
    'topic_changed',
  ],
  [
    'a topic is deleted',
    event('sns', 'DeleteTopic', { topicArn: arn('sns', 'airunner-prod-IdentityAlertingCritical-X') }),
    arn('sns', 'airunner-prod-IdentityAlertingCritical-X'),
    'topic_changed',
  ],
  [
    'dead letters are thrown away',
    event('sqs', 'PurgeQueue', {
      queueUrl: `https://sqs.eu-central-1.amazonaws.com/${account}/airunner-prod-IdentityAuditDeadLetters-X`,
    }),
    arn('sqs', 'airunner-prod-IdentityAuditDeadLetters-X'),
    'queue_changed',
  ],
  [
    'a log is deleted',
    event('logs', 'DeleteLogGroup', { logGroupName: 'airunner-prod-IdentityAccessAuthorizeRequestLog-X' }),
    arn('logs', 'log-group:airunner-prod-IdentityAccessAuthorizeRequestLog-X'),
    'log_changed',
  ],
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
