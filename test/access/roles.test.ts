/** Every cell of the role table, written out a second time: a change of it is a change of this file. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { mustReach, type Reach, reachOf } from '../../src/access/roles.ts';
import { NotAllowed } from '../../src/errors.ts';
import { type PrincipalType, principalTypes } from '../../src/principal/principal.ts';
import type { Route } from '../../src/routes.ts';
import { ofType, synthesise } from '../lib/synth.ts';

const expected: Record<Route, readonly [admin: Reach, operator: Reach, auditor: Reach, others: Reach]> = {
  'GET /whoami': ['self', 'self', 'self', 'self'],
  'POST /api/v1/principals': ['any', 'non-admin', 'none', 'none'],
  'GET /api/v1/principals': ['any', 'any', 'any', 'none'],
  'GET /api/v1/principals/{principal_id}': ['any', 'any', 'any', 'self'],
  'POST /api/v1/principals/{principal_id}/suspend': ['any', 'non-admin', 'none', 'none'],
  'POST /api/v1/principals/{principal_id}/activate': ['any', 'non-admin', 'none', 'none'],
  'POST /api/v1/certificates': ['any', 'non-admin', 'none', 'none'],
  'GET /api/v1/certificates': ['any', 'any', 'any', 'self'],
  'GET /api/v1/certificates/{serial_number}': ['any', 'any', 'any', 'self'],
  'POST /api/v1/certificates/{serial_number}/revoke': ['any', 'non-admin', 'none', 'none'],
  'POST /api/v1/certificates/renew': ['self', 'self', 'self', 'self'],
  'GET /api/v1/identity/audit': ['any', 'any', 'any', 'none'],
  'GET /api/v1/identity/audit/verify': ['any', 'any', 'any', 'none'],
  'GET /api/v1/identity/audit/export': ['any', 'any', 'any', 'none'],
  'GET /api/v1/identity/audit/{sequence}/proof': ['any', 'any', 'any', 'none'],
  'PUT /api/v1/identity/endpoints/{endpoint_id}': ['any', 'any', 'none', 'none'],
  'GET /api/v1/identity/endpoints/{endpoint_id}': ['any', 'any', 'any', 'none'],
  'DELETE /api/v1/identity/endpoints/{endpoint_id}': ['any', 'any', 'none', 'none'],
  'GET /api/v1/identity/inventory': ['any', 'any', 'any', 'none'],
  'GET /api/v1/identity/policies': ['any', 'any', 'any', 'none'],
  'PUT /api/v1/identity/policies/{policy_id}': ['any', 'none', 'none', 'none'],
  'GET /api/v1/identity/policies/{policy_id}': ['any', 'any', 'any', 'none'],
  'DELETE /api/v1/identity/policies/{policy_id}': ['any', 'none', 'none', 'none'],
  'GET /api/v1/identity/fleets': ['any', 'any', 'any', 'none'],
  'PUT /api/v1/identity/fleets/{fleet_id}': ['any', 'any', 'none', 'none'],
  'GET /api/v1/identity/fleets/{fleet_id}': ['any', 'any', 'any', 'none'],
  'DELETE /api/v1/identity/fleets/{fleet_id}': ['any', 'any', 'none', 'none'],
  'POST /api/v1/identity/fleets/{fleet_id}/tokens': ['any', 'any', 'none', 'none'],
  'DELETE /api/v1/identity/fleets/{fleet_id}/tokens/{token_id}': ['any', 'any', 'none', 'none'],
};

const reference = z.object({ Ref: z.string().optional() });
const column = { admin: 0, operator: 1, auditor: 2, worker: 3, service: 3, user: 3 } as const;

describe('the role table', () => {
  it('names exactly the routes that are deployed', () => {
    const template = synthesise();
    const resources = new Map(ofType(template, 'AWS::ApiGateway::Resource'));
    const pathOf = (id: unknown): string => {
      const { Ref } = reference.parse(id);
      const found = Ref === undefined ? undefined : resources.get(Ref);
      return found === undefined ? '' : `${pathOf(found.Properties.ParentId)}/${found.Properties.PathPart}`;
    };
    const deployed = ofType(template, 'AWS::ApiGateway::Method')
      .map(([, { Properties }]) => `${Properties.HttpMethod} ${pathOf(Properties.ResourceId)}`)
      .filter((route) => !route.startsWith('ANY '));
    expect(deployed.sort()).toEqual(Object.keys(expected).sort());
  });

  const cells = Object.entries(expected).flatMap(([route, row]) =>
    principalTypes.map((type) => ({ route, type, reach: row[column[type]] })),
  );
  it.each(cells)('$type reaches $reach on $route', ({ route, type, reach }) => {
    expect(reachOf(route, type)).toBe(reach);
  });

  it.each(['GET /', 'DELETE /api/v1/principals', 'PUT /whoami', '__proto__', 'toString', ''])(
    'refuses the route %j, which it does not name, to every role',
    (route) => {
      for (const type of principalTypes) expect(reachOf(route, type)).toBe('none');
    },
  );
});

describe('reach', () => {
  const caller = { principal_id: 'me', principal_type: 'operator' as const };
  const target = (type: PrincipalType | null, principal_id = 'other') => ({ principal_id, type });

  it('any: touches everything', () => {
    expect(() => mustReach('any', caller, target('admin'))).not.toThrow();
    expect(() => mustReach('any', caller, target(null))).not.toThrow();
  });
  it('non-admin: stops at admins, and at records whose type nobody knows', () => {
    expect(() => mustReach('non-admin', caller, target('worker'))).not.toThrow();
    expect(() => mustReach('non-admin', caller, target('operator'))).not.toThrow();
    expect(() => mustReach('non-admin', caller, target('admin'))).toThrow(NotAllowed);
    expect(() => mustReach('non-admin', caller, target(null))).toThrow(NotAllowed);
  });
  it('self: stops at everything else', () => {
    expect(() => mustReach('self', caller, target(null, 'me'))).not.toThrow();
    expect(() => mustReach('self', caller, target('worker'))).toThrow(NotAllowed);
  });
  it('none: touches nothing, itself neither', () => {
    expect(() => mustReach('none', caller, target('operator', 'me'))).toThrow(NotAllowed);
  });
});
