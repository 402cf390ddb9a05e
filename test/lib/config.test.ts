/** A deployment that is told something wrong hears which context value to change. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { App } from 'aws-cdk-lib';
import { expect, test } from 'vitest';
import { readConfig, WrongContext } from '../../lib/config.ts';

const certificateArn = 'arn:aws:acm:eu-west-1:123456789012:certificate/0a1b-2c3d';
const read = (context: Record<string, unknown>) => readConfig(new App({ context }).node);

test('a domain and its certificate are enough; the rest has defaults', () => {
  expect(read({ domain: 'id.example.com', certificateArn })).toEqual({
    name: 'everleaf',
    environment: 'dev',
    domain: 'id.example.com',
    certificateArn,
  });
});

test('a hosted zone does instead of a certificate, and concurrency becomes a number', () => {
  expect(read({ domain: 'id.example.com', hostedZoneId: 'Z0ABC', authorizerReservedConcurrency: '100' })).toMatchObject(
    {
      hostedZoneId: 'Z0ABC',
      authorizerReservedConcurrency: 100,
    },
  );
});

test.each([
  ['name', { name: 'Air Runner' }],
  ['name', { name: '1st' }],
  ['name', { name: '' }],
  ['name', { name: 'a'.repeat(31), environment: 'b'.repeat(31) }],
  ['environment', { environment: 'prod_1' }],
  ['environment', { environment: 7 }],
  // Or everleaf-eu's prod and everleaf's eu-prod would be one stack.
  ['environment', { environment: 'eu-prod' }],
  ['domain', { domain: undefined }],
  ['domain', { domain: 'https://id.example.com' }],
  ['domain', { domain: 'ID.example.com' }],
  ['domain', { domain: 'localhost' }],
  ['certificateArn', { certificateArn: undefined }],
  ['certificateArn', { certificateArn: 'arn:aws:iam::123456789012:server-certificate/x' }],
  ['hostedZoneId', { hostedZoneId: 'example.com' }],
  ['authorizerReservedConcurrency', { authorizerReservedConcurrency: '0' }],
  ['authorizerReservedConcurrency', { authorizerReservedConcurrency: 'many' }],
])('a wrong %s is refused by its name: %o', (key, context) => {
  expect(() => read({ domain: 'id.example.com', certificateArn, ...context })).toThrow(
    new RegExp(`^context value ${key} `),
  );
});

test.each([
  ['enviroment', 'environment'],
  ['Environment', 'environment'],
  ['env', 'environment'],
  ['environemnt', 'environment'],
  ['hostedzoneid', 'hostedZoneId'],
  ['certificateARN', 'certificateArn'],
  ['nmae', 'name'],
])('a misspelt %s is refused, not left aside: %s was meant', (given, meant) => {
  expect(() => read({ domain: 'id.example.com', certificateArn, [given]: 'prod' })).toThrow(
    new WrongContext(`context value ${given} is not known; is ${meant} meant?`),
  );
});

test('what others keep in the context is left alone', () => {
  const others = { '@aws-cdk/core:name': true, 'aws:cdk:domain': 'x', 'hosted-zone:account=1': {}, team: 'x' };
  expect(read({ domain: 'id.example.com', certificateArn, ...others })).toMatchObject({ environment: 'dev' });
});

test('the app says it in one line', () => {
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'bin/app.ts'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, CDK_CONTEXT_JSON: '{"environment": "prod"}', NODE_OPTIONS: '' },
    encoding: 'utf8',
  });
  expect(stderr).toBe('context value domain is needed: the host name of the API, such as airunner.example.com\n');
  expect(status).toBe(1);
}, 60_000);
