/** Deletes a fleet that no endpoint uses, and its tokens. Its agents have nothing to do from then on. */

import { authorOf, type Caller } from '../access/caller.ts';
import { removeRow } from '../aws/transact.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { Conflict } from '../errors.ts';
import { endpointKeys } from '../names.ts';
import type { World } from '../world.ts';
import { tokensOf } from './find-tokens.ts';
import { findUser } from './find-user.ts';
import { getFleet } from './get-fleet.ts';
import { removeForCaller } from './remove-row.ts';

/** A token that is left behind lets nobody into a later fleet of that name. @throws NotFound, Conflict, NotAllowed */
export const deleteFleet = async (
  world: World,
  { caller, fleet_id }: { caller: Caller; fleet_id: string },
): Promise<{ fleet_id: string; deleted: true }> => {
  await untilSettled(world, async () => {
    const { row } = await getFleet(world, fleet_id);
    const user = await findUser(world, 'fleet_id', fleet_id);
    if (user !== undefined)
      throw new Conflict(
        `endpoint ${user} belongs to the fleet ${fleet_id}; put it into another one first`,
        'fleet_id',
      );
    return removeForCaller(world, caller, { key: endpointKeys.fleet(fleet_id), row, action: 'fleet_deleted' });
  });
  for (const { token_id, row } of await tokensOf(world, fleet_id)) {
    const removal = { table: 'endpoints', key: endpointKeys.token(token_id), row } as const;
    await removeRow(world, authorOf(caller), { ...removal, action: 'enrolment_token_deleted' });
  }
  return { fleet_id, deleted: true };
};
