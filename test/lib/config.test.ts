/** A deployment that is told something wrong hears which context value to change. */
import { App } from 'aws-cdk-lib';
import { expect, test } from 'vitest';
import { readConfig } from '../../lib/config.ts';

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
