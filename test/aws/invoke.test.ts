import { type InvokeCommand, type InvokeCommandOutput, LambdaClient } from '@aws-sdk/client-lambda';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { invokeFunction } from '../../src/aws/invoke.ts';
import { Conflict, InvalidInput, LeaseHeld, NotAllowed, NotFound, Unavailable } from '../../src/errors.ts';
import { type Invocation, internal } from '../../src/remote-error.ts';

const invocation: Invocation = { awsRequestId: 'of-the-invocation', getRemainingTimeInMillis: () => 1_000 };
const deployment = { name: 'airunner', environment: 'prod' };

/** A Lambda that runs the handler here and answers as AWS does. */
const lambdaOf = (
  handler: (payload: unknown, invocation: Invocation) => Promise<unknown>,
): { client: LambdaClient; names: string[] } => {
  const client = new LambdaClient({ region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
  const names: string[] = [];
  const answer = (value: unknown, FunctionError?: string) => ({
    StatusCode: 200,
    Payload: Buffer.from(JSON.stringify(value)),
    ...(FunctionError ? { FunctionError } : {}),
  });
  Object.assign(client, {
    send: async (command: InvokeCommand): Promise<Partial<InvokeCommandOutput> | object> => {
      names.push(command.input.FunctionName ?? '');
      try {
        return answer(
          await handler(
            JSON.parse(Buffer.from(z.instanceof(Uint8Array).parse(command.input.Payload)).toString()),
            invocation,
          ),
        );
      } catch (error) {
        const { name, message } = error instanceof Error ? error : new Error(String(error));
        return answer({ errorType: name, errorMessage: message, trace: [] }, 'Unhandled');
      }
    },
  });
  return { client, names };
};

const throwing = (error: Error) => internal(z.unknown(), async () => Promise.reject(error));
const invoke = (client: LambdaClient) =>
  invokeFunction(deployment, 'sign-certificate', { a: 1 }, z.object({ b: z.number() }), client);

it('a function’s result is parsed', async () => {
  const { client, names } = lambdaOf(internal(z.object({ a: z.number() }), async ({ a }) => ({ b: a + 1 })));
  expect(await invoke(client)).toEqual({ b: 2 });
  expect(names).toEqual(['airunner-prod-sign-certificate']);
});

it.each([
  new Conflict('taken'),
  new LeaseHeld('held'),
  new NotAllowed('no'),
  new NotFound('nothing'),
  new NotFound('no such principal', 'principal_id'),
  new Unavailable('later'),
  new InvalidInput('csr', 'signature does not prove possession of the key'),
])('what a function throws arrives as what it was: $name', async (error) => {
  const { client } = lambdaOf(throwing(error));
  const thrown = await invoke(client).catch((caught: unknown) => caught);
  expect(thrown).toBeInstanceOf(error.constructor);
  expect(thrown).toMatchObject({ ...error, message: error.message });
});

it('a function is told of its own invocation', async () => {
  const { client } = lambdaOf(internal(z.unknown(), async (_, { awsRequestId }) => ({ b: awsRequestId.length })));
  expect(await invoke(client)).toEqual({ b: 'of-the-invocation'.length });
});

it('a payload that the function does not take is refused by field', async () => {
  const { client } = lambdaOf(internal(z.strictObject({ a: z.string() }), async () => ({})));
  await expect(invoke(client)).rejects.toMatchObject({ name: 'InvalidInput', field: 'a' });
});

it('a function that was cut short is unavailable; a defect stays one', async () => {
  const timeout = Object.assign(new Error('2026 Task timed out after 3.00 seconds'), { name: 'Sandbox.Timedout' });
  await expect(invoke(lambdaOf(async () => Promise.reject(timeout)).client)).rejects.toThrow(Unavailable);
  const defect = await invoke(lambdaOf(async () => Promise.reject(new TypeError('x is undefined'))).client).catch(
    (e: unknown) => e,
  );
  expect(defect).toMatchObject({ name: 'TypeError' });
});
