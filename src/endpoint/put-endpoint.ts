/** Makes an endpoint, or replaces what is said of it; what it serves, and a renewal that is under way, stay. */

import { isDeepStrictEqual } from 'node:util';
import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { transact } from '../aws/transact.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { Conflict } from '../errors.ts';
import { listings } from '../names.ts';
import type { CalendarWarning } from '../renewal/calendar.ts';
import { changed } from './changed.ts';
import { checkEndpoint } from './check-endpoint.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import { completeEndpoint, type EndpointInput, type EndpointSettings } from './endpoint-settings.ts';
import type { EndpointWorld } from './endpoint-world.ts';
import { readRow } from './read-row.ts';

export interface EndpointPut {
  readonly endpoint: Endpoint;
  readonly created: boolean;
  /** What will outlaw its policy. */
  readonly warnings: readonly CalendarWarning[];
}

/** What a renewal that is under way works with. */
const held = ['names', 'fleet_id', 'agent_id', 'deployer'] as const;

const refuseWhileLive = (before: Endpoint, settings: EndpointSettings): void => {
  const touched = held.find((field) => !isDeepStrictEqual(before[field], settings[field]));
  if (before.live_job !== undefined && touched !== undefined)
    throw new Conflict(
      `the renewal ${before.live_job} works with it; wait for its end, or roll it back: everleaf renewal rollback ${before.live_job}`,
      touched,
    );
};

/** An agent that took the endpoint over stays its agent while the fleet is the same and nothing else is said. */
const keepAgent = (before: Endpoint | undefined, settings: EndpointSettings): EndpointSettings => {
  const kept = before?.fleet_id === settings.fleet_id ? before?.agent_id : undefined;
  const agent_id = settings.agent_id ?? kept;
  return agent_id === undefined ? settings : { ...settings, agent_id };
};

/** The same again changes nothing. @throws InvalidInput naming the field; Conflict during a renewal; NotAllowed */
export const putEndpoint = async (
  world: EndpointWorld,
  { caller, endpoint_id, input }: { caller: Caller; endpoint_id: string; input: EndpointInput },
): Promise<EndpointPut> => {
  const asked = completeEndpoint(input);
  return untilSettled(world, async () => {
    const row = await readRow(world, endpoint_id);
    const before = row && parseEndpoint(row);
    const settings = keepAgent(before, asked);
    // One that took it over was checked then.
    const { warnings, steps } = await checkEndpoint(world, { ...asked, endpoint_id });
    if (before !== undefined) refuseWhileLive(before, settings);
    const { server_name, fleet_id, agent_id, ...always } = settings;
    const change = changed(row, { ...always, server_name, fleet_id, agent_id, listing: listings.endpoints });
    if (before !== undefined && change === null) return { endpoint: before, created: false, warnings };
    const now = world.now();
    const set = { ...change?.set, ...(row === undefined ? { created_at: now } : {}), updated_at: now };
    const put = { table: 'endpoints', key: endpoint_id, row, action: 'endpoint_put', ...change, set } as const;
    const all = [put, ...steps, callerIsActive(world, caller), ...callerStands(world, caller)];
    if ((await transact(world, authorOf(caller), all)) === 'again') return 'again';
    const gone = new Set(change?.remove);
    const after = Object.fromEntries(
      Object.entries({ ...row, ...set, endpoint_id }).filter(([name]) => !gone.has(name)),
    );
    return { endpoint: parseEndpoint(after), created: row === undefined, warnings };
  });
};
