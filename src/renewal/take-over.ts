/** An agent takes over the endpoints of its fleet that it may own, names in its file, and that have no agent yet. */
import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import type { Change } from '../aws/change.ts';
import { transact } from '../aws/transact.ts';
import { unchanged } from '../aws/unchanged.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { Fleet } from '../endpoint/fleet.ts';
import { coversEndpoint } from '../endpoint/ids.ts';
import type { World } from '../world.ts';
import { findJobs } from './find-job.ts';
import { attributesOf } from './job.ts';
import type { OwnAgent } from './own-agent.ts';

export interface TakingOver {
  readonly caller: Caller;
  readonly agent: OwnAgent;
  readonly fleet: Fleet;
}

const mayTake = ({ agent, fleet }: TakingOver, { endpoint_id, fleet_id, agent_id, invalid }: Endpoint): boolean =>
  agent_id === undefined &&
  invalid.length === 0 &&
  fleet_id === fleet.fleet_id &&
  coversEndpoint(fleet.endpoint_ids, endpoint_id) &&
  coversEndpoint(agent.endpoint_ids, endpoint_id);

/** A renewal that waits for an agent waits for this one. */
const liveJobToo = async (world: World, { live_job }: Endpoint, agent_id: string): Promise<Change[]> => {
  if (live_job === undefined) return [];
  const job = (await findJobs(world, [live_job])).get(live_job);
  if (job === undefined || 'invalid' in job || job.agent_id !== undefined) return [];
  const { task_agent } = attributesOf({ ...job, agent_id });
  const set = { agent_id, ...(task_agent === undefined ? {} : { task_agent }) };
  return [{ table: 'jobs', key: job.job_id, row: job.row, action: 'renewal_taken_over', set }];
};

/** The endpoints that are this agent's by now. Of two agents at once, one takes it; the other may ask again. */
export const takeOver = async (
  world: World,
  taking: TakingOver,
  endpoints: readonly Endpoint[],
): Promise<Endpoint[]> => {
  const { agent_id } = taking.agent;
  const own = endpoints.filter((endpoint) => endpoint.agent_id === agent_id);
  for (const endpoint of endpoints.filter((one) => mayTake(taking, one))) {
    const { endpoint_id, row } = endpoint;
    const steps = [
      {
        ...({ table: 'endpoints', key: endpoint_id, row, action: 'endpoint_taken_over' } as const),
        set: { agent_id, updated_at: world.now() },
        condition: unchanged(row, ['agent_id', 'fleet_id']),
      },
      ...(await liveJobToo(world, endpoint, agent_id)),
      callerIsActive(world, taking.caller),
      ...callerStands(world, taking.caller),
    ];
    if ((await transact(world, authorOf(taking.caller), steps)) === 'done') own.push({ ...endpoint, agent_id });
  }
  return own;
};
