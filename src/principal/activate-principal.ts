/** Lets a suspended principal in again; its certificates are as they were. */
import { isDeepStrictEqual } from 'node:util';
import type { Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { mustReach, type Reach } from '../access/roles.ts';
import { type Step, transact, untilSettled } from '../aws/transact.ts';
import { type Row, unchanged } from '../aws/unchanged.ts';
import { Conflict, NotAllowed } from '../errors.ts';
import { tableName } from '../names.ts';
import type { World } from '../world.ts';
import { getPrincipal } from './get-principal.ts';
import type { Principal } from './principal.ts';

/** What tells one suspension from another; each request to suspend leaves another `suspension`. */
const suspension = ['status', 'suspended_at', 'suspended_reason', 'suspension'];

/**
 * Ends the suspension that it found, never one that was made meanwhile. Activating an active principal changes nothing.
 * @throws NotFound, NotAllowed; Conflict for a row without a valid type, or one suspended again meanwhile
 */
export const activatePrincipal = (
  world: World,
  { caller, reach, principal_id }: { caller: Caller; reach: Reach; principal_id: string },
): Promise<Principal> => {
  let asked: Row | undefined;
  return untilSettled(world, async () => {
    const principal = await getPrincipal(world, principal_id);
    mustReach(reach, caller, principal);
    if (principal.type === null)
      throw new Conflict(
        `the record of ${principal_id} names no valid type; repair its row in the principals table`,
        'principal_id',
      );
    if (principal.status === 'active') return principal;
    if (principal_id === caller.principal_id) throw new NotAllowed('nobody activates itself', 'principal_id');
    asked ??= principal.row;
    if (!suspension.every((attribute) => isDeepStrictEqual(principal.row[attribute], asked?.[attribute])))
      throw new Conflict(
        `${principal_id} was suspended again meanwhile; read why before activating it`,
        'principal_id',
      );

    const { expression, names, values } = unchanged(principal.row, ['type', ...suspension]);
    const activate: Step = {
      item: {
        Update: {
          TableName: tableName(world.deployment, 'principals'),
          Key: { principal_id },
          UpdateExpression: 'SET #read_status = :active REMOVE suspended_at, suspended_reason, suspension',
          ConditionExpression: expression,
          ExpressionAttributeNames: names,
          ExpressionAttributeValues: { ...values, ':active': 'active' },
        },
      },
      otherwise: 'again',
    };
    const steps = [activate, callerIsActive(world, caller), ...callerStands(world, caller)];
    if ((await transact(world, steps)) === 'again') return 'again';
    const { suspended_at: _at, suspended_reason: _reason, ...rest } = principal;
    return { ...rest, status: 'active', recorded_status: 'active' };
  });
};
