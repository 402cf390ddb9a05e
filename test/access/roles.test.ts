/** Every cell of the role table, written out a second time: a change of it is a change of this file. */
import { describe, expect, it } from 'vitest';
import { mustReach, type Reach, reachOf, roles } from '../../src/access/roles.ts';
import { NotAllowed } from '../../src/errors.ts';
import { type PrincipalType, principalTypes } from '../../src/principal/principal.ts';

const expected: Record<string, readonly [admin: Reach, operator: Reach, auditor: Reach, others: Reach]> = {
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
};

const column = { admin: 0, operator: 1, auditor: 2, worker: 3, service: 3, user: 3 } as const;

describe('the role table', () => {
  it('names exactly the routes of the API', () => {
    expect(Object.keys(roles).sort()).toEqual(Object.keys(expected).sort());
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
