/** Invokes another function of the deployment by its name and rebuilds what it throws. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { z } from 'zod';
import { Unavailable } from '../errors.ts';
import { type Deployment, functionName, type InternalFunction } from '../names.ts';
import { fromRemote } from '../remote-error.ts';

/** Repeating an invocation could repeat its effect; only a refused one (throttled, not begun) is tried again. */
const build = (): LambdaClient =>
  new LambdaClient({ maxAttempts: 3, requestHandler: { connectionTimeout: 2_000, requestTimeout: 60_000 } });

let shared: LambdaClient | undefined;
export const lambdaClient = (): LambdaClient => {
  shared ??= build();
  return shared;
};

const thrown = z.object({ errorType: z.string().optional(), errorMessage: z.string().optional() });
/** Lambda's own names for a function that could not run to its end. */
const cutShort = /^(?:Sandbox\.|Runtime\.(?:ExitError|Unknown|OutOfMemory))/;

/**
 * The function's result, parsed. @throws the error of src/errors.ts that the function threw; Unavailable when it was
 * throttled, timed out or crashed; Error for what is a defect on either side.
 */
export const invokeFunction = async <T>(
  deployment: Deployment,
  name: InternalFunction,
  payload: unknown,
  result: z.ZodType<T>,
  client: LambdaClient = lambdaClient(),
): Promise<T> => {
  const answer = await client.send(
    new InvokeCommand({ FunctionName: functionName(deployment, name), Payload: Buffer.from(JSON.stringify(payload)) }),
  );
  const text = Buffer.from(answer.Payload ?? []).toString('utf8');
  if (answer.FunctionError !== undefined) {
    const { errorType = '', errorMessage = '' } = thrown.safeParse(JSON.parse(text)).data ?? {};
    if (cutShort.test(errorType) || /Task timed out/.test(errorMessage))
      throw new Unavailable(`${name} did not finish; try again`);
    throw fromRemote(errorType, errorMessage);
  }
  return result.parse(JSON.parse(text));
};
