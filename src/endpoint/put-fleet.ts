/** Makes a fleet, or replaces its settings. */

import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { transact } from '../aws/transact.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { endpointKeys, listings } from '../names.ts';
import type { World } from '../world.ts';
import { changed } from './changed.ts';
import { type Fleet, type FleetInput, parseFleet } from './fleet.ts';
import { readRow } from './read-row.ts';

/** The same again changes nothing. Its tokens stay. @throws NotAllowed */
export const putFleet = (
  world: World,
  { caller, fleet_id, input }: { caller: Caller; fleet_id: string; input: FleetInput },
): Promise<{ fleet: Fleet; created: boolean }> => {
  const key = endpointKeys.fleet(fleet_id);
  return untilSettled(world, async () => {
    const row = await readRow(world, key);
    const change = changed(row, { ...input, listing: listings.fleets });
    if (row !== undefined && change === null) return { fleet: parseFleet(row), created: false };
    const now = world.now();
    const set = { ...change?.set, ...(row === undefined ? { created_at: now } : {}), updated_at: now };
    const put = { table: 'endpoints', key, row, action: 'fleet_put', ...change, set } as const;
    const steps = [put, callerIsActive(world, caller), ...callerStands(world, caller)];
    if ((await transact(world, authorOf(caller), steps)) === 'again') return 'again';
    return { fleet: parseFleet({ ...row, ...set, endpoint_id: key }), created: row === undefined };
  });
};
