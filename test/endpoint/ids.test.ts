/** Ids of endpoints, policies and fleets, and the patterns that say which endpoints a fleet may own. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coversEndpoint, endpointIdSchema, endpointPatternSchema, fleetIdSchema } from '../../src/endpoint/ids.ts';

describe('an id', () => {
  it.each(['web-1', 'a', '0.b_c', 'a'.repeat(63)])('of an endpoint may be %s', (id) => {
    expect(endpointIdSchema.safeParse(id).success).toBe(true);
  });
  it.each(['', 'Web', 'web 1', 'web#1', 'policy#web', '-web', '../web', 'a'.repeat(64), 'web*'])(
    'of an endpoint may not be %j: it would be another row',
    (id) => {
      expect(endpointIdSchema.safeParse(id).success).toBe(false);
    },
  );
  it('of a fleet leaves room for its agents’ names in a principal id', () => {
    const fleet = 'f'.repeat(30);
    expect(fleetIdSchema.safeParse(fleet).success).toBe(true);
    expect(endpointIdSchema.safeParse(`agent-${fleet}-${'0'.repeat(26)}`).success).toBe(true);
    expect(fleetIdSchema.safeParse(`${fleet}f`).success).toBe(false);
  });
});

describe('a pattern', () => {
  it.each([
    ['web-1', 'web-1', true],
    ['web-1', 'web-10', false],
    ['web-*', 'web-', true],
    ['web-*', 'web-10', true],
    ['web-*', 'aweb-10', false],
    ['*', 'anything', true],
    ['*-db', 'eu-db', true],
    ['*-db', 'eu-db-1', false],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'axxbyy', false],
    ['a.b', 'axb', false],
    ['**', 'x', true],
  ])('%s stands for %s: %s', (pattern, id, covers) => {
    expect(coversEndpoint([pattern], id)).toBe(covers);
    expect(coversEndpoint(['other', pattern], id)).toBe(covers);
  });
  it('of none stands for nothing', () => {
    expect(coversEndpoint([], 'web-1')).toBe(false);
  });
  it('takes no longer for stars', () => {
    expect(coversEndpoint(['*a'.repeat(31)], `${'a'.repeat(62)}b`)).toBe(false);
  });

  const letters = (...from: string[]) => fc.string({ unit: fc.constantFrom(...from), minLength: 1, maxLength: 8 });
  it('stands for what its regular expression says', () => {
    fc.assert(
      fc.property(letters('a', 'b', '.', '*'), letters('a', 'b', '.'), (pattern, id) => {
        const expression = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
        expect(coversEndpoint([pattern], id)).toBe(expression.test(id));
      }),
    );
  });
  it('that stands for another pattern stands for all that the other one stands for', () => {
    fc.assert(
      fc.property(letters('a', 'b', '*'), letters('a', 'b', '*'), letters('a', 'b'), (wide, narrow, id) => {
        if (coversEndpoint([wide], narrow) && coversEndpoint([narrow], id))
          expect(coversEndpoint([wide], id)).toBe(true);
      }),
    );
    expect(coversEndpoint(['web-*'], 'web-a*')).toBe(true);
    expect(coversEndpoint(['web-a*'], 'web-*')).toBe(false);
    expect(coversEndpoint(['web-1'], '*')).toBe(false);
  });
  it.each(['', ' ', 'A*', 'web/*', '*'.repeat(64), '-*', 'policy#*'])('may not be %j', (pattern) => {
    expect(endpointPatternSchema.safeParse(pattern).success).toBe(false);
  });
});
