/** Begins renewals by hand: of each endpoint that is named, or answers with the one that it has. */
import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { transact } from '../aws/transact.ts';
import { unchanged } from '../aws/unchanged.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { newSerial } from '../certificate/serial.ts';
import { type Endpoint, parseEndpoint } from '../endpoint/endpoint.ts';
import type { EndpointSettings } from '../endpoint/endpoint-settings.ts';
import { whole } from '../endpoint/get-endpoint.ts';
import { findFleet } from '../endpoint/get-fleet.ts';
import { policyFor } from '../endpoint/policy-for.ts';
import { readRows } from '../endpoint/read-row.ts';
import { InvalidInput, NotFound } from '../errors.ts';
import { keepGoing } from './execution.ts';
import { findJobs } from './find-job.ts';
import { attributesOf, type Job } from './job.ts';
import type { Policy } from './policy.ts';
import { isLive, type Status } from './status.ts';
import type { StartingWorld } from './world.ts';

export interface RunningWorld extends StartingWorld {
  /** The API's own name. */
  readonly domain: string;
}

export interface Run {
  readonly caller: Caller;
  readonly endpoint_ids: readonly string[];
  /** In place of each endpoint's own. */
  readonly policy_id?: string | undefined;
}

export interface Begun {
  readonly job_id: string;
  readonly endpoint_id: string;
  readonly status: Status;
}

type Renewable = Endpoint & EndpointSettings;
interface Plan {
  readonly endpoint_id: string;
  readonly policy_id: string;
  readonly policy: Policy;
}

/** An agent asks so often where its fleet says nothing, seconds. */
const usualPoll = 900;

/** How many are begun side by side. */
const atOnce = 8;

/** All are looked at before the first is begun. @throws NotFound, Conflict, InvalidInput naming the field */
const planOf = async (world: RunningWorld, { endpoint_ids, policy_id: asked }: Run): Promise<Plan[]> => {
  const rows = await readRows(world, endpoint_ids);
  const missing = endpoint_ids.find((id) => !rows.has(id));
  if (missing !== undefined) throw new NotFound(`there is no endpoint ${missing}`, 'endpoint_ids');
  const endpoints = [...rows.values()].map((row) => whole(parseEndpoint(row)));
  return Promise.all(
    endpoints.map(async ({ endpoint_id, names, deployer, ...endpoint }) => {
      const policy_id = asked ?? endpoint.policy_id;
      const { policy } = await policyFor(world, { names, policy_id });
      if (policy.ca.kind !== 'private')
        throw new InvalidInput('policy_id', `${policy_id} asks a public CA, from which nothing is renewed here yet`);
      if (deployer.kind !== 'agent')
        throw new InvalidInput('endpoint_ids', `${endpoint_id} is served by ${deployer.kind}, not by an agent`);
      return { endpoint_id, policy_id, policy };
    }),
  );
};

/** The renewal that the endpoint has; null where it is over, gone, or edited to nonsense. */
const liveJob = async (world: RunningWorld, { live_job }: Endpoint): Promise<Job | null> => {
  if (live_job === undefined) return null;
  const job = (await findJobs(world, [live_job])).get(live_job);
  return job === undefined || 'invalid' in job || !isLive(job) ? null : job;
};

const newJob = async (
  world: RunningWorld,
  { caller }: Run,
  { policy_id, policy }: Plan,
  { endpoint_id, names, deployer, fleet_id, agent_id }: Renewable,
): Promise<Omit<Job, 'row'>> => {
  const now = world.now();
  const job_id = newSerial(now, world.randomBytes);
  const fleet = fleet_id === undefined ? null : await findFleet(world, fleet_id);
  return {
    ...{ job_id, endpoint_id, policy_id, policy, names, deployer, fleet_id, agent_id },
    requested_by: caller.principal_id,
    created_at: now,
    poll_after_seconds: fleet?.poll_after_seconds ?? usualPoll,
    ...{ status: 'PENDING', attempt: 1, history: [{ status: 'PENDING', at: now }], answers: [], tasks: 0 },
    execution: job_id,
  };
};

/** The renewal and its place in the endpoint's row, in one transaction: of two at once, one finds the other's. */
const begin = (world: RunningWorld, run: Run, plan: Plan): Promise<string> =>
  untilSettled(world, async () => {
    const row = (await readRows(world, [plan.endpoint_id])).get(plan.endpoint_id);
    if (row === undefined) throw new NotFound(`there is no endpoint ${plan.endpoint_id}`, 'endpoint_ids');
    const endpoint = whole(parseEndpoint(row));
    const live = await liveJob(world, endpoint);
    if (live !== null) return live.job_id;
    const job = await newJob(world, run, plan, endpoint);
    const { caller } = run;
    const action = 'renewal_requested';
    const set = Object.fromEntries(Object.entries(attributesOf(job)).filter(([, value]) => value !== undefined));
    const steps = [
      { table: 'jobs', key: job.job_id, row: undefined, action, set } as const,
      {
        ...({ table: 'endpoints', key: endpoint.endpoint_id, row, action } as const),
        set: { live_job: job.job_id },
        condition: unchanged(row, ['live_job']),
      },
      callerIsActive(world, caller),
      ...callerStands(world, caller),
    ];
    return (await transact(world, authorOf(caller), steps)) === 'again' ? 'again' : job.job_id;
  });

/**
 * In the order in which they were named. Running again what is live changes nothing, but starts an execution that died.
 * @throws NotFound, Conflict, InvalidInput naming the field, with nothing begun; NotAllowed
 */
export const runRenewals = async (world: RunningWorld, run: Run): Promise<Begun[]> => {
  const plans = new Map((await planOf(world, run)).map((plan) => [plan.endpoint_id, plan]));
  const ids = [...new Set(run.endpoint_ids)];
  const begun: Begun[] = [];
  for (let start = 0; start < ids.length; start += atOnce) {
    const together = ids.slice(start, start + atOnce).flatMap((id) => plans.get(id) ?? []);
    const jobs = await Promise.all(
      together.map(async (plan) => keepGoing(world, authorOf(run.caller), await begin(world, run, plan))),
    );
    begun.push(...jobs.map(({ job_id, endpoint_id, status }) => ({ job_id, endpoint_id, status })));
  }
  return begun;
};
