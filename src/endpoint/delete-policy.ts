/** Deletes a policy that no endpoint uses. */

import type { Caller } from '../access/caller.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { Conflict, NotFound } from '../errors.ts';
import { endpointKeys } from '../names.ts';
import type { World } from '../world.ts';
import { findUser } from './find-user.ts';
import { refusePreset } from './put-policy.ts';
import { readRow } from './read-row.ts';
import { removeForCaller } from './remove-row.ts';

/** @throws NotFound; Conflict for a preset, or naming an endpoint that uses it; NotAllowed */
export const deletePolicy = async (
  world: World,
  { caller, policy_id }: { caller: Caller; policy_id: string },
): Promise<{ policy_id: string; deleted: true }> => {
  refusePreset(policy_id);
  const key = endpointKeys.policy(policy_id);
  return untilSettled(world, async () => {
    const row = await readRow(world, key);
    if (row === undefined) throw new NotFound(`there is no policy ${policy_id}`, 'policy_id');
    const user = await findUser(world, 'policy_id', policy_id);
    if (user !== undefined)
      throw new Conflict(`endpoint ${user} uses the policy ${policy_id}; put it with another one first`, 'policy_id');
    if ((await removeForCaller(world, caller, { key, row, action: 'policy_deleted' })) === 'again') return 'again';
    return { policy_id, deleted: true };
  });
};
