/** Suspends a principal: from the moment this returns no request of any of its certificates is let in. */
import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { mustReach, type Reach } from '../access/roles.ts';
import { guardLastAdmin } from '../access/usable-admins.ts';
import { type Step, transact } from '../aws/transact.ts';
import { unchanged } from '../aws/unchanged.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { NotAllowed } from '../errors.ts';
import type { World } from '../world.ts';
import { getPrincipal } from './get-principal.ts';
import type { Principal } from './principal.ts';

const action = 'principal_suspended';

export interface Suspension {
  readonly caller: Caller;
  readonly reach: Reach;
  readonly principal_id: string;
  readonly reason: string;
  /** Suspends the last usable admin too; admins only. */
  readonly force: boolean;
}

/**
 * Suspending a suspended principal keeps the first reason and time, and stops an activation that is under way.
 * A row edited to nonsense becomes a suspended one.
 * @throws NotFound, NotAllowed, Conflict when no usable admin would be left.
 */
export const suspendPrincipal = (world: World, input: Suspension): Promise<Principal> =>
  untilSettled(world, async () => {
    const { caller, principal_id, reason, force } = input;
    if (force && caller.principal_type !== 'admin') throw new NotAllowed('only an admin may use force', 'force');
    const principal = await getPrincipal(world, principal_id);
    mustReach(input.reach, caller, principal);
    const again = principal.recorded_status === 'suspended';
    const suspended_at = world.now();
    const suspension = Buffer.from(world.randomBytes(8)).toString('hex');
    const suspend: Step = {
      table: 'principals',
      key: principal_id,
      row: principal.row,
      action,
      set: again ? { suspension } : { suspension, status: 'suspended', suspended_at, suspended_reason: reason },
      condition: unchanged(principal.row, ['status']),
    };
    const guard =
      principal.type === 'admin' && principal.status === 'active'
        ? [await guardLastAdmin(world, { removing: { principal_id }, force, action })]
        : [];
    const steps: Step[] = [
      suspend,
      ...guard,
      ...(principal_id === caller.principal_id ? [] : [callerIsActive(world, caller)]),
      ...callerStands(world, caller),
    ];
    if ((await transact(world, authorOf(caller), steps)) === 'again') return 'again';
    if (again) return principal;
    return {
      ...principal,
      status: 'suspended',
      recorded_status: 'suspended',
      suspended_at,
      suspended_reason: reason,
    };
  });
