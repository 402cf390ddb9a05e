/** Reading rows of the principals table, whatever somebody typed into them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePrincipal, principalIdSchema, viewPrincipal } from '../../src/principal/principal.ts';
import { reasonSchema } from '../../src/principal/reason.ts';

const row = { principal_id: 'w', type: 'worker', status: 'active', created_at: 5 };

describe('a row', () => {
  it('as the product writes it is shown as it is', () => {
    expect(viewPrincipal(parsePrincipal(row))).toEqual(row);
    const suspended = { ...row, status: 'suspended', suspended_at: 7, suspended_reason: 'why' };
    expect(viewPrincipal(parsePrincipal(suspended))).toEqual(suspended);
  });
  it.each([
    { ...row, status: 'Active' },
    { ...row, status: true },
    { ...row, status: ['active'] },
    { ...row, type: 'root' },
    { ...row, type: undefined },
    { principal_id: 'w', status: 'suspended' },
    { principal_id: 'w', status: 'suspended', suspended_reason: 7, suspended_at: 'noon' },
  ])('edited to nonsense is shown as suspended: %j', (edited) => {
    const shown = viewPrincipal(parsePrincipal(edited));
    expect(shown).toMatchObject({ status: 'suspended', suspended_reason: 'record invalid' });
    expect(shown).not.toHaveProperty('suspended_at');
  });
  it('keeps the reason that a break-glass edit gave', () => {
    const edited = { ...row, status: 'SUSPENDED', suspended_reason: 'stolen', suspended_at: 9 };
    expect(viewPrincipal(parsePrincipal(edited))).toMatchObject({ suspended_reason: 'stolen', suspended_at: 9 });
  });
  it('never crashes a read and is never active but as the product writes it', () => {
    const value = fc.oneof(fc.anything(), fc.constantFrom('active', 'suspended', 'worker', 'admin', Number.NaN, 1e300));
    const rows = fc.record({ status: value, type: value, created_at: value, suspended_at: value, live_serials: value });
    fc.assert(
      fc.property(rows, (edited) => {
        const principal = parsePrincipal({ principal_id: 'w', ...edited });
        expect(principal.status === 'active').toBe(edited.status === 'active' && principal.type !== null);
      }),
    );
  });
});

describe('an id', () => {
  it.each(['w', '0', 'worker-prod-01', 'a.b_c-d', 'a'.repeat(63)])('may be %j', (id) => {
    expect(principalIdSchema.safeParse(id).success).toBe(true);
  });
  it.each(['', 'A', '-a', '.a', '..', 'a/b', 'a%2fb', 'a b', 'ä', 'a\n', 'a'.repeat(64), '１'])(
    'may not be %j',
    (id) => {
      expect(principalIdSchema.safeParse(id).success).toBe(false);
    },
  );
});

describe('a reason', () => {
  it('is trimmed, and may hold quotes, backslashes and any script', () => {
    expect(reasonSchema.parse('  "quoted" \\ und ümläut 理由  ')).toBe('"quoted" \\ und ümläut 理由');
  });
  it.each([
    '',
    '   ',
    'x'.repeat(257),
    'a\nb',
    'a\u0000',
    'a\u007f',
    'a\u2028b',
    'a\ud800',
    'a\u202eb',
    'a\u2066b',
    'a\u200fb',
  ])('may not be %j', (text) => {
    expect(reasonSchema.safeParse(text).success).toBe(false);
  });
});
