/** The local cloud of this run, and what the tests ask of AWS behind the product's back. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { describe, inject } from 'vitest';
import { localEnvironment } from '../../local/aws.ts';
import { functionName, type InternalFunction } from '../../src/names.ts';
import type { SharedCloud } from './global-setup.ts';
import type { Run } from './terminal.ts';

const shared = inject('cloud');

/** `describe` for what needs the local cloud: skipped where it could not be started. */
export const describeWithCloud = shared === null ? describe.skip : describe;

const absent: SharedCloud = {
  ...{ server: 'https://127.0.0.1:9', cacert: '', client_cert: '', client_key: '', aws_endpoint: 'http://127.0.0.1:9' },
  ...{ region: '', name: '', environment: '', domain: '', templateFile: '', callsFile: '', passphraseFile: '' },
  awsPython: '',
};

export const cloud: SharedCloud = shared ?? absent;

const lambda = (): LambdaClient =>
  new LambdaClient({
    endpoint: cloud.aws_endpoint,
    region: cloud.region || 'none',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });

/** The pair of `admin-bootstrap`, or of another certificate that `bootstrap` wrote. */
export const adminPair = (): { cert: string; key: string } => ({
  cert: readFileSync(cloud.client_cert, 'utf8'),
  key: readFileSync(cloud.client_key, 'utf8'),
});

/** `aws <words>`, as an operator with AWS credentials. */
export const aws = (...words: string[]): Promise<Run> =>
  new Promise((resolve) => {
    const env = { ...localEnvironment(cloud.aws_endpoint, cloud.region), AWS_PAGER: '' };
    execFile(cloud.awsPython, ['-m', 'awscli', ...words], { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
    });
  });

/** Invokes one of the functions that have a name, as an operator. @throws Error with the name of what it threw. */
export const invoke = async (name: InternalFunction, payload: unknown): Promise<Record<string, unknown>> => {
  const { FunctionError, Payload } = await lambda().send(
    new InvokeCommand({ FunctionName: functionName(cloud, name), Payload: JSON.stringify(payload) }),
  );
  const answer: Record<string, unknown> = JSON.parse(Buffer.from(Payload ?? []).toString() || 'null');
  if (FunctionError) throw new Error(`${answer.errorType}: ${answer.errorMessage}`);
  return answer;
};

/** Sends the gate's reads to a port where nothing listens. Returns what puts it right again; that may be called twice. */
export const breakGate = async (): Promise<() => Promise<void>> => {
  const client = lambda();
  const { Functions = [] } = await client.send(new ListFunctionsCommand({ MaxItems: 1000 }));
  const FunctionName = Functions.map((one) => one.FunctionName ?? '').find((one) => one.includes('AuthorizeRequest'));
  if (FunctionName === undefined) throw new Error('the gate is not among the functions');
  const { Environment } = await client.send(new GetFunctionConfigurationCommand({ FunctionName }));
  const set = (Variables: Record<string, string>) =>
    client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables } }));
  const before = Environment?.Variables ?? {};
  await set({ ...before, AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:1' });
  return async () => {
    await set(before);
  };
};
