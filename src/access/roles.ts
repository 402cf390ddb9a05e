/** The one table of which role may call which route, and how far it reaches there. A route without an entry is refused. */
import { NotAllowed } from '../errors.ts';
import type { PrincipalType } from '../principal/principal.ts';
import type { Route } from '../routes.ts';
import type { Caller } from './caller.ts';

/** What a role may touch on a route: any principal, all but admins, only itself, nothing. */
export type Reach = 'any' | 'non-admin' | 'self' | 'none';

type Reaches = Readonly<Record<PrincipalType, Reach>>;

const row = (admin: Reach, operator: Reach, auditor: Reach, others: Reach): Reaches => ({
  admin,
  operator,
  auditor,
  worker: others,
  service: others,
  user: others,
});

const own: Reaches = row('self', 'self', 'self', 'self');
const list: Reaches = row('any', 'any', 'any', 'none');
const read: Reaches = row('any', 'any', 'any', 'self');
const change: Reaches = row('any', 'non-admin', 'none', 'none');
const changeAny: Reaches = row('any', 'any', 'none', 'none');
const changeAsAdmin: Reaches = row('any', 'none', 'none', 'none');

const roles = {
  'GET /whoami': own,
  'POST /api/v1/principals': change,
  'GET /api/v1/principals': list,
  'GET /api/v1/principals/{principal_id}': read,
  'POST /api/v1/principals/{principal_id}/suspend': change,
  'POST /api/v1/principals/{principal_id}/activate': change,
  'POST /api/v1/certificates': change,
  'GET /api/v1/certificates': read,
  'GET /api/v1/certificates/{serial_number}': read,
  'POST /api/v1/certificates/{serial_number}/revoke': change,
  'POST /api/v1/certificates/renew': own,
  'GET /api/v1/identity/audit': list,
  'GET /api/v1/identity/audit/verify': list,
  'GET /api/v1/identity/audit/export': list,
  'GET /api/v1/identity/audit/{sequence}/proof': list,
  'PUT /api/v1/identity/endpoints/{endpoint_id}': changeAny,
  'GET /api/v1/identity/endpoints/{endpoint_id}': list,
  'DELETE /api/v1/identity/endpoints/{endpoint_id}': changeAny,
  'GET /api/v1/identity/inventory': list,
  'GET /api/v1/identity/policies': list,
  'PUT /api/v1/identity/policies/{policy_id}': changeAsAdmin,
  'GET /api/v1/identity/policies/{policy_id}': list,
  'DELETE /api/v1/identity/policies/{policy_id}': changeAsAdmin,
  'GET /api/v1/identity/fleets': list,
  'PUT /api/v1/identity/fleets/{fleet_id}': changeAny,
  'GET /api/v1/identity/fleets/{fleet_id}': list,
  'DELETE /api/v1/identity/fleets/{fleet_id}': changeAny,
  'POST /api/v1/identity/fleets/{fleet_id}/tokens': changeAny,
  'DELETE /api/v1/identity/fleets/{fleet_id}/tokens/{token_id}': changeAny,
} as const satisfies Record<Route, Reaches>;

const isRoute = (route: string): route is Route => Object.hasOwn(roles, route);

/** How far a role reaches on a route, `${httpMethod} ${resource}`; 'none' for one that the table does not name. */
export const reachOf = (route: string, type: PrincipalType): Reach => (isRoute(route) ? roles[route][type] : 'none');

/**
 * Refuses a target beyond the caller's reach. A target whose type is unknown (a row edited by hand) counts as an
 * admin, and `self` is decided by id alone, so that a refusal does not tell whether the target exists.
 * @throws NotAllowed
 */
export const mustReach = (
  reach: Reach,
  caller: Pick<Caller, 'principal_id' | 'principal_type'>,
  target: { readonly principal_id: string; readonly type: PrincipalType | null },
): void => {
  switch (reach) {
    case 'any':
      return;
    case 'non-admin':
      if (target.type !== null && target.type !== 'admin') return;
      throw new NotAllowed(`${caller.principal_type}s may not change admins or their certificates`);
    case 'self':
      if (target.principal_id === caller.principal_id) return;
      throw new NotAllowed(`${caller.principal_type}s may ask only for what is their own`);
    case 'none':
      throw new NotAllowed(`${caller.principal_type}s may not do this`);
  }
};
