/** Revokes an enrolment token: nobody enrols with it from then on; agents that have go on. */

import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { transact } from '../aws/transact.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { NotFound } from '../errors.ts';
import { endpointKeys } from '../names.ts';
import type { World } from '../world.ts';
import { findToken } from './find-tokens.ts';
import { getFleet } from './get-fleet.ts';
import { rowExpires } from './make-token.ts';
import { parseToken, type TokenView, viewToken } from './token.ts';

/** Revoking a revoked one changes nothing. @throws NotFound, also for another fleet's; NotAllowed */
export const revokeToken = (
  world: World,
  { caller, fleet_id, token_id }: { caller: Caller; fleet_id: string; token_id: string },
): Promise<TokenView> =>
  untilSettled(world, async () => {
    const fleet = await getFleet(world, fleet_id);
    const token = await findToken(world, token_id);
    if (token?.fleet !== fleet_id) throw new NotFound(`the fleet ${fleet_id} has no such token`, 'token_id');
    if (token.revoked) return viewToken(token, fleet, world.now());
    const revoked_at = world.now();
    const set = { revoked: true, revoked_at, expires: rowExpires(revoked_at) };
    const { row } = token;
    const key = endpointKeys.token(token_id);
    const revoke = { table: 'endpoints', key, row, action: 'enrolment_token_revoked', set } as const;
    const steps = [revoke, callerIsActive(world, caller), ...callerStands(world, caller)];
    if ((await transact(world, authorOf(caller), steps)) === 'again') return 'again';
    return viewToken(parseToken({ ...row, ...set }), fleet, world.now());
  });
