/** An agent's heartbeat: what stands on its node is noted, endpoints without an agent are taken over, open tasks handed out. */
import { z } from 'zod';
import { authorOf, type Caller } from '../access/caller.ts';
import { writeRow } from '../aws/transact.ts';
import type { Row } from '../aws/unchanged.ts';
import { changed } from '../endpoint/changed.ts';
import { parseEndpoint } from '../endpoint/endpoint.ts';
import { parseFleet } from '../endpoint/fleet.ts';
import { endpointIdSchema } from '../endpoint/ids.ts';
import { readRows } from '../endpoint/read-row.ts';
import { endpointKeys, jobIndexes, listings } from '../names.ts';
import { findJobs } from './find-job.ts';
import type { Job } from './job.ts';
import { queryJobs } from './list-jobs.ts';
import { type OwnAgent, ownAgent } from './own-agent.ts';
import { isLive } from './status.ts';
import { takeOver } from './take-over.ts';
import { isToBeDone, type Task, taskOf } from './task.ts';
import type { WaitingWorld } from './world.ts';

const instant = z.number().int().min(0).max(8.64e15);
const mostEndpoints = 200;

export const heartbeatSchema = z.strictObject({
  /** Of the program. */
  version: z.string().min(1).max(64),
  /** The agent's own clock, ms since the epoch. */
  now: instant,
  endpoints: z
    .array(
      z.strictObject({
        endpoint_id: endpointIdSchema,
        /** What is deployed there now; null: nothing. */
        fingerprint: z
          .string()
          .regex(/^[0-9a-f]{64}$/, 'must be a fingerprint: 64 hex digits in lower case')
          .nullable(),
        not_after: instant.nullable(),
      }),
    )
    .max(mostEndpoints, `must be at most ${mostEndpoints} endpoints`),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;

export interface Heard {
  readonly tasks: readonly Task[];
  readonly poll_after_seconds: number;
  /** The server's clock, ms since the epoch. */
  readonly now: number;
}

/** Where the fleet is gone, seconds. */
const withoutFleet = 900;
/** While a renewal is under way, seconds. */
const busyPoll = 3;
/** An agent that says the same again is written down anew after this, ms. */
const noteAfter_ms = 60_000;

/** Nothing of it is sure; the inventory tells it as the agent's own word. */
const note = async (world: WaitingWorld, caller: Caller, agent: OwnAgent, row: Row | undefined, heard: Heartbeat) => {
  const now = world.now();
  const said = { listing: listings.agents, fleet: agent.fleet_id, version: heard.version, endpoints: heard.endpoints };
  const last = row?.last_heartbeat_at;
  const known = typeof last === 'number' && now - last < noteAfter_ms && last <= now;
  if (known && changed(row, said) === null) return;
  const change = changed(row, { ...said, last_heartbeat_at: now });
  if (change === null) return;
  // Of two heartbeats at once, either may be the one that is noted.
  const key = endpointKeys.agent(agent.agent_id);
  await writeRow(world, authorOf(caller), { table: 'endpoints', key, row, action: 'agent_heard', ...change });
};

/** Seconds until the agent is to ask again: soon while one of its endpoints is being renewed, and when a try is due. */
const pollAfter = (jobs: readonly Job[], idle: number, now: number): number =>
  Math.min(
    idle,
    ...jobs.map(({ status, restore, next_try_at }) =>
      status === 'FAILED' && restore !== 'due' && next_try_at !== undefined
        ? Math.max(busyPoll, Math.ceil((next_try_at - now) / 1_000))
        : busyPoll,
    ),
  );

/** @throws NotAllowed for whoever did not enrol into a fleet */
export const heartbeat = async (
  world: WaitingWorld,
  { caller, heard }: { readonly caller: Caller; readonly heard: Heartbeat },
): Promise<Heard> => {
  const agent = await ownAgent(world, caller);
  const { agent_id, fleet_id } = agent;
  const named = heard.endpoints.map(({ endpoint_id }) => endpoint_id);
  const [rows, asked] = await Promise.all([
    readRows(world, [endpointKeys.fleet(fleet_id), endpointKeys.agent(agent_id), ...named]),
    queryJobs(world, { index: jobIndexes.byTaskOwner, key: ['task_agent', agent_id], limit: mostEndpoints }),
  ]);
  const fleetRow = rows.get(endpointKeys.fleet(fleet_id));
  const fleet = fleetRow && parseFleet(fleetRow);
  await note(world, caller, agent, rows.get(endpointKeys.agent(agent_id)), heard);
  if (fleet === undefined || fleet.created_at !== agent.fleet_created_at)
    return { tasks: [], poll_after_seconds: withoutFleet, now: world.now() };

  const endpoints = named.flatMap((id) => {
    const row = rows.get(id);
    return row === undefined ? [] : [parseEndpoint(row)];
  });
  const own = await takeOver(world, { caller, agent, fleet }, endpoints);
  const found = await findJobs(world, [...asked, ...own.flatMap(({ live_job }) => live_job ?? [])]);
  const jobs = [...found.values()].filter((job): job is Job => !('invalid' in job) && job.agent_id === agent_id);
  const live = jobs.filter(isLive);
  // While somebody is there who does them, no step is given up for want of an agent.
  await Promise.all(
    live.flatMap(({ task, task_token }) =>
      task === undefined || task_token === undefined ? [] : [world.tokens.heartbeat(task_token)],
    ),
  );
  const now = world.now();
  return {
    tasks: live.filter((job) => isToBeDone(job, now)).flatMap((job) => taskOf(job) ?? []),
    poll_after_seconds: pollAfter(live, fleet.poll_after_seconds, now),
    now,
  };
};
