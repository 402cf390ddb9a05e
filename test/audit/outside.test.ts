/** What CloudTrail tells of changes outside the tables, in the shapes that AWS documents: what is entered, as whose, and what never is. */
import { describe, expect, it } from 'vitest';
import { outsideChange } from '../../src/audit/outside.ts';
import {
  account,
  alice,
  arn,
  assumed,
  changes,
  cloudFormation,
  event,
  fn,
  keyId,
  kmsKey,
  mapping,
  objectEvent,
  own,
  trust,
  writer,
} from './cloudtrail.ts';

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
      'a signature, whatever the record says of it',
      event('kms', 'Sign', { keyId, signingAlgorithm: 'ECDSA_SHA_256' }, { ...kmsKey(keyId), readOnly: false }),
    ],
    ['what a log is told', event('logs', 'PutLogEvents', { logGroupName: 'airunner-prod-x' })],
    [
      'a function with a role of theirs',
      event('lambda', 'CreateFunction20150331', { functionName: 'x', role: 'arn:aws:iam::1:role/theirs' }),
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
