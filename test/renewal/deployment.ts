/** A deployment with a fleet, an enrolled agent and its endpoint, and the state machine on a clock that tests turn. */
import {
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  type GlobalSecondaryIndex,
} from '@aws-sdk/client-dynamodb';
import { GetCommand, PutCommand, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import type { Caller } from '../../src/access/caller.ts';
import type { Author } from '../../src/audit/stamp.ts';
import { endpointInputSchema } from '../../src/endpoint/endpoint-settings.ts';
import type { FleetInput } from '../../src/endpoint/fleet.ts';
import { makeToken } from '../../src/endpoint/make-token.ts';
import { putEndpoint } from '../../src/endpoint/put-endpoint.ts';
import { putFleet } from '../../src/endpoint/put-fleet.ts';
import { putPolicy } from '../../src/endpoint/put-policy.ts';
import { type Enrolled, type EnrollingWorld, enroll } from '../../src/enrolment/enroll.ts';
import { jobIndexes, tableName } from '../../src/names.ts';
import { type Invocation, internal } from '../../src/remote-error.ts';
import { parseReachable } from '../../src/renewal/address.ts';
import { deployForJob } from '../../src/renewal/deploy-for-job.ts';
import { type FailureInput, failRenewal } from '../../src/renewal/fail-renewal.ts';
import { caughtSchema } from '../../src/renewal/failure.ts';
import { getJob } from '../../src/renewal/find-job.ts';
import { finishRenewal } from '../../src/renewal/finish-renewal.ts';
import { issueForJob } from '../../src/renewal/issue-for-job.ts';
import type { Job } from '../../src/renewal/job.ts';
import type { PolicyInput } from '../../src/renewal/policy.ts';
import { requestCsr } from '../../src/renewal/request-csr.ts';
import { restorePrevious } from '../../src/renewal/restore-previous.ts';
import { rollbackJob } from '../../src/renewal/rollback-job.ts';
import { runRenewals } from '../../src/renewal/run-renewals.ts';
import { startChallenge } from '../../src/renewal/start-challenge.ts';
import { type StepInput, stepSchema, waitingStepSchema, workflowAuthor } from '../../src/renewal/step.ts';
import { validateEndpoint } from '../../src/renewal/validate-endpoint.ts';
import { makeAuthority } from '../authority/authority.ts';
import { newRequest } from '../certificate/deployment.ts';
import type { TestEmulator } from '../emulator.ts';
import { makeDeployment as makeEndpoints } from '../endpoint/deployment.ts';
import { testAuthor } from '../stamps.ts';
import { type Functions, openMachine } from './machine.ts';
import { startNode, type TestNode } from './node.ts';

const index = (IndexName: string, partition: string): GlobalSecondaryIndex => ({
  IndexName,
  KeySchema: [
    { AttributeName: partition, KeyType: 'HASH' },
    { AttributeName: 'job_id', KeyType: 'RANGE' },
  ],
  Projection: { ProjectionType: 'KEYS_ONLY' },
});

/** Gives the table its indexes where the template does not yet. */
const addIndexes = async (client: DynamoDBClient, TableName: string) => {
  const { Table } = await client.send(new DescribeTableCommand({ TableName }));
  if ((Table?.GlobalSecondaryIndexes ?? []).length > 0) return;
  await client.send(new DeleteTableCommand({ TableName }));
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [{ AttributeName: 'job_id', KeyType: 'HASH' }],
      AttributeDefinitions: ['job_id', 'status', 'endpoint_id', 'task_agent'].map((AttributeName) => ({
        AttributeName,
        AttributeType: 'S' as const,
      })),
      GlobalSecondaryIndexes: [
        index(jobIndexes.byStatus, 'status'),
        index(jobIndexes.byEndpoint, 'endpoint_id'),
        index(jobIndexes.byTaskOwner, 'task_agent'),
      ],
    }),
  );
};

export const makeDeployment = async (emulator: TestEmulator) => {
  const e = await makeEndpoints(emulator);
  const { deployment, documents } = e.world;
  const jobs = tableName(deployment, 'jobs');
  await addIndexes(emulator.client(DynamoDBClient), jobs);

  let ahead = 0;
  const now = () => Date.now() + ahead;
  const { sign } = await makeAuthority(deployment, { now });
  const counted = { signed: 0 };
  let replaced: Functions | undefined;
  const machine = openMachine(() => replaced ?? functions(), now);
  const nodes: TestNode[] = [];
  const base = {
    ...e.world,
    now,
    sign: (async (request) => {
      counted.signed += 1;
      return sign(request);
    }) satisfies typeof sign,
    tokens: machine.tokens,
    renewals: machine.renewals,
    reachable: parseReachable('127.0.0.1'),
    resolve: async (host: string): Promise<readonly string[]> => [host],
    sleep: async () => undefined,
    server: 'https://api.airunner.example',
  };
  /** Tests replace parts of it. */
  const d = { world: base };

  const step =
    <T extends StepInput>(
      schema: z.ZodType<T>,
      work: (world: typeof base, author: Author, input: T) => Promise<unknown>,
    ) =>
    (payload: unknown) => {
      const invocation: Invocation = { awsRequestId: 'a-request', getRemainingTimeInMillis: () => 60_000 };
      const handler = internal(schema, (input) =>
        work(d.world, workflowAuthor(deployment, input, invocation.awsRequestId), input),
      );
      return handler(payload, invocation);
    };
  const failing = stepSchema.extend({
    caught: z.object({ error: caughtSchema.optional(), restore_error: caughtSchema.optional() }),
  });
  const functions = (): Functions => ({
    RequestCsr: step(waitingStepSchema, requestCsr),
    StartChallenge: step(stepSchema, startChallenge),
    IssueCertificate: step(stepSchema, issueForJob),
    DeployCertificate: step(waitingStepSchema, deployForJob),
    ValidateEndpoint: step(waitingStepSchema, validateEndpoint),
    FinishRenewal: step(stepSchema, finishRenewal),
    RestorePrevious: step(waitingStepSchema, restorePrevious),
    FailRenewal: step(failing, (world, author, { caught, ...input }) => {
      const whole: FailureInput = { ...input, ...caught };
      return failRenewal(world, author, whole);
    }),
  });

  /** The machine calls these; what is returned gives it its own again. */
  const replaceFunctions = (others: Functions) => {
    replaced = others;
    return () => {
      replaced = undefined;
    };
  };

  const admin = await e.enrol('alice', 'admin');
  const makeFleet = (fleet_id: string, input: Partial<FleetInput> = {}) =>
    putFleet(d.world, {
      caller: admin,
      fleet_id,
      input: { endpoint_ids: ['*'], poll_after_seconds: 60, closed: false, ...input },
    });
  const token = async (fleet_id: string, endpoint_ids?: readonly string[]) =>
    (
      await makeToken(d.world, {
        caller: admin,
        fleet_id,
        input: { kind: 'single', ...(endpoint_ids === undefined ? {} : { endpoint_ids: [...endpoint_ids] }) },
      })
    ).token;
  const enrolNode = async (fleet_id: string, secret?: string): Promise<Enrolled> => {
    const enrolling: EnrollingWorld = d.world;
    return enroll(enrolling, testAuthor, { fleet_id, token: secret ?? (await token(fleet_id)), csr: newRequest() });
  };
  /** A node of the fleet that names these endpoints in its file. */
  const node = async (fleet_id: string, endpoints: readonly string[]): Promise<TestNode> => {
    const caller = await e.callerWith((await enrolNode(fleet_id)).pem);
    const started = await startNode(() => d.world, caller, endpoints);
    nodes.push(started);
    return started;
  };
  const endpoint = (endpoint_id: string, port: number, more: Record<string, unknown> = {}) =>
    putEndpoint(d.world, {
      caller: admin,
      endpoint_id,
      input: endpointInputSchema.parse({
        names: ['web.example.com', '127.0.0.1'],
        host: '127.0.0.1',
        port,
        fleet_id: 'web',
        policy_id: '47-day',
        ...more,
      }),
    });
  const policy = (policy_id: string, input: PolicyInput) =>
    putPolicy(d.world, { caller: admin, policy_id, input: { preset: '47-day', ...input } });
  const job = (job_id: string): Promise<Job> => getJob(d.world, job_id);
  const run = async (...endpoint_ids: string[]): Promise<string> => {
    const [begun] = await runRenewals(d.world, { caller: admin, endpoint_ids });
    if (begun === undefined) throw new Error('nothing was begun');
    return begun.job_id;
  };
  const rollback = (job_id: string, reason = 'Deployment verification failed') =>
    rollbackJob(d.world, { caller: admin, job_id, reason });
  const pass = (ms: number) => {
    ahead += ms;
  };
  /** To the instant at which the renewal has slept, or waited, long enough. False: it does neither. */
  const passToNext = (job_id: string): boolean => {
    const next = machine.nextAt(job_id);
    if (next === null) return false;
    ahead += Math.max(0, next - now()) + 1;
    return true;
  };
  /** Machine and agents take turns until nobody has anything to do; time passes only when `mayWait`. */
  const settle = async (...agents: TestNode[]) => {
    for (let turns = 0; turns < 50; turns += 1) {
      await machine.goOn();
      const worked = (await Promise.all(agents.map((agent) => agent.turn()))).flat();
      await machine.goOn();
      if (worked.length === 0) return;
    }
    throw new Error('there is no end to it');
  };
  const edit = (job_id: string, values: Record<string, unknown>) => {
    const fields = Object.entries(values);
    return documents.send(
      new UpdateCommand({
        TableName: jobs,
        Key: { job_id },
        UpdateExpression: `SET ${fields.map((_, i) => `#n${i} = :v${i}`).join(', ')}`,
        ExpressionAttributeNames: Object.fromEntries(fields.map(([name], i) => [`#n${i}`, name])),
        ExpressionAttributeValues: Object.fromEntries(fields.map(([, value], i) => [`:v${i}`, value])),
      }),
    );
  };
  const jobRow = async (job_id: string) =>
    (await documents.send(new GetCommand({ TableName: jobs, Key: { job_id }, ConsistentRead: true }))).Item;
  const putJobRow = (item: Record<string, unknown>) => documents.send(new PutCommand({ TableName: jobs, Item: item }));
  const allJobs = async () =>
    (await documents.send(new ScanCommand({ TableName: jobs, ConsistentRead: true }))).Items ?? [];
  const close = async () => {
    await Promise.all(nodes.map((one) => one.close()));
  };
  const people: { readonly admin: Caller } = { admin };
  return Object.assign(d, {
    ...{
      endpoints: e,
      machine,
      counted,
      people,
      admin,
      now,
      pass,
      passToNext,
      settle,
      close,
      functions,
      replaceFunctions,
    },
    ...{ makeFleet, token, enrolNode, node, endpoint, policy, job, run, rollback, edit, jobRow, putJobRow, allJobs },
  });
};
export type TestDeployment = Awaited<ReturnType<typeof makeDeployment>>;
