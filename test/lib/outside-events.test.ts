/** The rules hand on every event that the audit would enter: what they hold back, nobody ever hears of. */
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { longestWords } from '../../lib/config.ts';
import { outsideChange } from '../../src/audit/outside.ts';
import { account, arn, changes, event, fn, mrk, own } from '../audit/cloudtrail.ts';
import { describeWithEmulator } from '../emulator.ts';
import { named, ofType, synthesise, type Template } from './synth.ts';

describeWithEmulator('the rules for what happens outside the tables', ({ endpoint }) => {
  let patterns: string[];

  beforeAll(() => {
    patterns = patternsOf(synthesise({ domain: own.domain }));
  });

  /** Asks the emulator, which judges patterns as EventBridge does. */
  const handedOn = async (call: unknown): Promise<boolean> => {
    const answers = await Promise.all(
      patterns.map(async (EventPattern) => {
        const response = await fetch(endpoint, {
          method: 'POST',
          headers: {
            'content-type': 'application/x-amz-json-1.1',
            'x-amz-target': 'AWSEvents.TestEventPattern',
            authorization: 'AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/events/aws4_request',
          },
          body: JSON.stringify({ EventPattern, Event: JSON.stringify(call) }),
        });
        const text = await response.text();
        return z.object({ Result: z.boolean() }, text).parse(JSON.parse(text)).Result;
      }),
    );
    return answers.includes(true);
  };

  test.each(changes)('%s: handed on', async (_what, call) => {
    expect(await handedOn(call)).toBe(true);
  });

  test('what a service does not call a change or a read is judged by the audit', async () => {
    const silent = { readOnly: undefined, managementEvent: undefined };
    expect(await handedOn(event('ssm', 'PutParameter', { name: '/airunner/prod/ca-cert' }, silent))).toBe(true);
    expect(await handedOn(event('dynamodb', 'UpdateTable', { tableName: 'airunner_prod_jobs' }, silent))).toBe(true);
  });

  test('whoever stops the trail is heard', async () => {
    expect(await handedOn(event('cloudtrail', 'StopLogging', { name: arn('cloudtrail', 'trail/org') }))).toBe(true);
  });

  test.each<[string, unknown]>([
    ['signatures', event('kms', 'Sign', { keyId: mrk }, { readOnly: true })],
    ['another deployment', event('ssm', 'PutParameter', { name: '/airunner/prod2/ca-cert' })],
    ['another bucket', event('s3', 'PutObject', { bucketName: 'theirs', key: 'truststore.pem' })],
    ['rows', event('dynamodb', 'PutItem', { tableName: 'airunner_prod_principals' }, { managementEvent: false })],
    ['calls of a function', event('lambda', 'Invoke', { functionName: fn }, { managementEvent: false })],
    [
      'runs of the workflow',
      event('states', 'StartExecution', { stateMachineArn: arn('states', 'stateMachine:airunner-prod-verify-audit') }),
    ],
    ['another function', event('lambda', 'UpdateFunctionCode20150331v2', { functionName: 'theirs' })],
  ])('%s wake no function', async (_what, call) => {
    expect(outsideChange(own, call)).toBeNull();
    expect(await handedOn(call)).toBe(false);
  });

  test.each(['Sign', 'Verify', 'GenerateMac', 'VerifyMac'])(
    '%s wakes no function, whatever its record says: an entry on it would want a signature of its own',
    async (eventName) => {
      expect(await handedOn(event('kms', eventName, { keyId: mrk }, { readOnly: false }))).toBe(false);
    },
  );

  test('no pattern is longer than EventBridge takes, however long the deployment’s words and region', () => {
    const name = 'n'.repeat(31);
    const long = patternsOf(synthesise({ name, environment: 'e'.repeat(longestWords - name.length) }), {
      'AWS::Partition': 'aws-us-gov',
      'AWS::Region': 'ap-southeast-2',
    });
    for (const pattern of [...patterns, ...long]) expect(pattern.length, pattern).toBeLessThanOrEqual(2_048);
    expect(long.length).toBeGreaterThan(10);
  });
});

/** The rules' patterns as they are deployed, with the buckets, keys and account that the recorded calls speak of. */
function patternsOf(template: Template, pseudo: Readonly<Record<string, string>> = {}): string[] {
  const known: Record<string, string> = {
    'AWS::Partition': 'aws',
    'AWS::Region': 'eu-central-1',
    'AWS::AccountId': account,
    ...pseudo,
    [named(template, 'AWS::S3::Bucket', 'Truststore')[0]]: own.truststoreBucket,
    [named(template, 'AWS::S3::Bucket', 'Heads')[0]]: own.headsBucket,
  };
  for (const [index, part] of ['Authority', 'Stamps', 'Audit'].entries()) {
    const key = own.keys[index] ?? 'arn:none';
    const [id] = named(template, 'AWS::KMS::Key', `Identity${part}Key`);
    known[id] = key.slice(key.lastIndexOf('/') + 1);
    known[`${id}.Arn`] = key;
  }
  return ofType(template, 'AWS::Events::Rule')
    .filter(([, { Properties }]) => Properties.EventPattern)
    .map(([, { Properties }]) => JSON.stringify(resolve(Properties.EventPattern, known)));
}

/** Refs, attributes and joins replaced by what stands for them. */
function resolve(value: unknown, known: Readonly<Record<string, string>>): unknown {
  if (Array.isArray(value)) return value.map((one) => resolve(one, known));
  if (typeof value !== 'object' || value === null) return value;
  if ('Ref' in value) return known[String(value.Ref)] ?? `unknown ${String(value.Ref)}`;
  if ('Fn::GetAtt' in value) return known[[value['Fn::GetAtt']].flat().join('.')] ?? 'unknown';
  if ('Fn::Join' in value) {
    const [by, parts] = z.tuple([z.string(), z.array(z.unknown())]).parse(value['Fn::Join']);
    return parts.map((part) => String(resolve(part, known))).join(by);
  }
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, resolve(inner, known)]));
}
