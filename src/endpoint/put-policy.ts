/** Makes a policy, or replaces it as a whole. Renewals that are under way keep the one that they began with. */

import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { transact } from '../aws/transact.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { Conflict } from '../errors.ts';
import { endpointKeys, listings } from '../names.ts';
import type { CalendarWarning } from '../renewal/calendar.ts';
import { completePolicy, type PolicyInput } from '../renewal/policy.ts';
import { isPreset } from '../renewal/presets.ts';
import type { World } from '../world.ts';
import { changed } from './changed.ts';
import { parsePolicy, type StoredPolicy } from './policy.ts';
import { readRow } from './read-row.ts';

export interface PolicyPut {
  readonly policy: StoredPolicy;
  readonly created: boolean;
  readonly warnings: readonly CalendarWarning[];
}

/** Presets stand in the code and are nobody's to change. @throws Conflict on `policy_id` */
export const refusePreset = (policy_id: string): void => {
  if (isPreset(policy_id))
    throw new Conflict(
      `${policy_id} is a preset, which stays as it is; put a policy of another id that begins from it`,
      'policy_id',
    );
};

/** The same again changes nothing. @throws InvalidInput naming the field; Conflict for a preset; NotAllowed */
export const putPolicy = async (
  world: World,
  { caller, policy_id, input }: { caller: Caller; policy_id: string; input: PolicyInput },
): Promise<PolicyPut> => {
  refusePreset(policy_id);
  const { policy, warnings } = completePolicy(input, world.now());
  const key = endpointKeys.policy(policy_id);
  return untilSettled(world, async () => {
    const row = await readRow(world, key);
    const change = changed(row, { ...policy, listing: listings.policies });
    if (row !== undefined && change === null) return { policy: parsePolicy(row), created: false, warnings };
    const now = world.now();
    const set = { ...change?.set, ...(row === undefined ? { created_at: now } : {}), updated_at: now };
    const put = { table: 'endpoints', key, row, action: 'policy_put', ...change, set } as const;
    const steps = [put, callerIsActive(world, caller), ...callerStands(world, caller)];
    if ((await transact(world, authorOf(caller), steps)) === 'again') return 'again';
    return { policy: parsePolicy({ ...row, ...set, endpoint_id: key }), created: row === undefined, warnings };
  });
};
