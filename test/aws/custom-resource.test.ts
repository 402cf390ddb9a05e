/** CloudFormation always gets its one answer, and an id that never changes. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Context } from 'aws-lambda';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { customResource } from '../../src/aws/custom-resource.ts';

let server: Server;
let url: string;
let answers: { body: unknown; contentType: string | undefined }[];
let failFirst = 0;

beforeEach(async () => {
  answers = [];
  failFirst = 0;
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      failFirst -= 1;
      if (failFirst < 0)
        answers.push({
          body: JSON.parse(Buffer.concat(chunks).toString()),
          contentType: request.headers['content-type'],
        });
      response.writeHead(failFirst < 0 ? 200 : 500).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}/answer?X-Amz-Signature=s`;
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await new Promise((resolve) => server.close(resolve));
});

const event = (more: Record<string, unknown> = {}) => ({
  RequestType: 'Create',
  ResponseURL: url,
  StackId: 'stack',
  RequestId: 'request',
  LogicalResourceId: 'Prepared',
  ResourceProperties: { ServiceToken: 'arn' },
  ...more,
});
const context = (remaining_ms = 60_000): Context => ({ getRemainingTimeInMillis: () => remaining_ms }) as Context;
const ids = { StackId: 'stack', RequestId: 'request', LogicalResourceId: 'Prepared' };

test('what is done is answered, under the same id whatever the request', async () => {
  await customResource(async () => undefined)(event(), context());
  await customResource(async () => undefined)(
    event({ RequestType: 'Update', PhysicalResourceId: 'Prepared' }),
    context(),
  );
  const success = { Status: 'SUCCESS', ...ids, PhysicalResourceId: 'Prepared' };
  expect(answers).toEqual([
    { body: success, contentType: undefined },
    { body: success, contentType: undefined },
  ]);
});

test('what fails says why, shortly enough for CloudFormation', async () => {
  const failing = customResource(async () => {
    throw new Error('x'.repeat(10_000));
  });
  await failing(event(), context());
  expect(answers[0]?.body).toMatchObject({ Status: 'FAILED', Reason: `Error: ${'x'.repeat(993)}` });
});

test('what does not end in time is answered before the function is cut off', async () => {
  const endless = customResource(() => new Promise(() => undefined));
  await endless(event(), context(10_050));
  expect(answers[0]?.body).toMatchObject({ Status: 'FAILED', Reason: 'Error: out of time' });
});

test('an answer that is not taken is repeated', async () => {
  failFirst = 2;
  await customResource(async () => undefined)(event(), context());
  expect(answers).toHaveLength(1);
});

test('nothing is done for what is no request of CloudFormation', async () => {
  const handle = vi.fn(async () => undefined);
  await expect(customResource(handle)({ RequestType: 'Create' }, context())).rejects.toThrow();
  expect(handle).not.toHaveBeenCalled();
});
