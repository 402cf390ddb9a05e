/** Registers a principal. Its id is never given to another. */
import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { mustReach, type Reach } from '../access/roles.ts';
import { enlistAdmin } from '../access/usable-admins.ts';
import { type Step, transact } from '../aws/transact.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { Conflict, InvalidInput } from '../errors.ts';
import type { World } from '../world.ts';
import { bootstrapAdmins, type Principal, type PrincipalType, parsePrincipal } from './principal.ts';

const action = 'principal_created';

/** An admin enters the list of admins in the same transaction. @throws NotAllowed, InvalidInput, Conflict when the id is taken. */
export const createPrincipal = async (
  world: World,
  { caller, reach, principal_id, type }: { caller: Caller; reach: Reach; principal_id: string; type: PrincipalType },
): Promise<Principal> => {
  mustReach(reach, caller, { principal_id, type });
  if (bootstrapAdmins.some((id) => id === principal_id))
    throw new InvalidInput('principal_id', 'is kept for the admin that bootstrap makes');
  const item = { principal_id, type, status: 'active', created_at: world.now() };
  const create: Step = {
    table: 'principals',
    key: principal_id,
    row: undefined,
    action,
    set: item,
    otherwise: new Conflict(`there is a principal ${principal_id} already; ids are never reused`, 'principal_id'),
  };
  // A caller naming itself would put two operations on one item, which DynamoDB refuses; its id is taken anyway.
  const active = principal_id === caller.principal_id ? [] : [callerIsActive(world, caller)];
  return untilSettled(world, async () => {
    const steps = [
      create,
      ...(type === 'admin' ? [await enlistAdmin(world, principal_id, action)] : []),
      ...active,
      ...callerStands(world, caller),
    ];
    if ((await transact(world, authorOf(caller), steps)) === 'again') return 'again';
    return parsePrincipal(item);
  });
};
