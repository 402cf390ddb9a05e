/** Lets a suspended principal in again; its certificates are as they were. */
import { isDeepStrictEqual } from 'node:util';
import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { mustReach, type Reach } from '../access/roles.ts';
import { type Step, transact } from '../aws/transact.ts';
import { type Row, unchanged } from '../aws/unchanged.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { Conflict, NotAllowed } from '../errors.ts';
import type { World } from '../world.ts';
import { getPrincipal } from './get-principal.ts';
import { type Principal, suspensionRecord } from './principal.ts';

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
    if (!['status', ...suspensionRecord].every((name) => isDeepStrictEqual(principal.row[name], asked?.[name])))
      throw new Conflict(
        `${principal_id} was suspended again meanwhile; read why before activating it`,
        'principal_id',
      );

    const activate: Step = {
      table: 'principals',
      key: principal_id,
      row: principal.row,
      action: 'principal_activated',
      set: { status: 'active' },
      remove: suspensionRecord,
      condition: unchanged(principal.row, ['type', 'status', ...suspensionRecord]),
    };
    const steps = [activate, callerIsActive(world, caller), ...callerStands(world, caller)];
    if ((await transact(world, authorOf(caller), steps)) === 'again') return 'again';
    const { suspended_at: _at, suspended_reason: _reason, ...rest } = principal;
    return { ...rest, status: 'active', recorded_status: 'active' };
  });
};
