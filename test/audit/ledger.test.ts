/** What is remembered of a replayed chain: of each attribute the last that was said of it, and what was said twice. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openDigest, openDigestSet } from '../../src/audit/digest.ts';
import { absent, differing, openLedger } from '../../src/audit/ledger.ts';
import type { RowChange } from '../../src/audit/row-change.ts';

const row = { table: 'principals', key: 'worker-1' } as const;
const change = (more: Partial<RowChange>): { changes: RowChange[] } => ({
  changes: [{ ...row, set: {}, removed: [], ...more }],
});
const open = () => {
  const ledger = openLedger(openDigest(new Uint8Array([1, 2, 3])));
  const digests = (shown: Record<string, unknown>) =>
    new Map(Object.entries(shown).map(([name, value]) => [name, ledger.shownDigest(name, value)]));
  /** Names by which a row with these attributes differs from what was said. */
  const against = (shown: Record<string, unknown>, of: typeof row | { table: 'controls'; key: string } = row) =>
    [...differing(ledger.recordOf(of), digests(shown)).keys()].sort();
  return { ...ledger, digests, against };
};

describe('a row in the ledger', () => {
  it('is what its changes made of it', () => {
    const { apply, against } = open();
    apply(1, change({ created: true, set: { status: 'active', type: 'worker', created_at: 5 } }));
    apply(2, change({ set: { status: 'suspended', suspended_at: 9 } }));
    apply(3, change({ set: { status: 'active' }, removed: ['suspended_at'] }));
    expect(against({ status: 'active', type: 'worker', created_at: 5 })).toEqual([]);
    expect(against({ status: 'suspended', type: 'worker', created_at: 5 })).toEqual(['status']);
    expect(against({ status: 'active', type: 'worker', created_at: 5, suspended_at: 9 })).toEqual(['suspended_at']);
    expect(against({ status: 'active', type: 'worker' })).toEqual(['created_at']);
    expect(against({})).toEqual(['created_at', 'status', 'type']);
  });

  it('tells values of different types, and of the same members in another order, as they are', () => {
    const { apply, against } = open();
    apply(1, change({ set: { status: '1', sans: { M: { a: 1, b: 2 } } } }));
    expect(against({ status: 1, sans: { M: { b: 2, a: 1 } } })).toEqual(['status']);
    expect(against({ status: '1', sans: { M: { b: 1, a: 2 } } })).toEqual(['sans']);
  });

  it('of which nothing was said is one without attributes', () => {
    const { against, standing } = open();
    expect(against({})).toEqual([]);
    expect(against({ status: 'active' })).toEqual(['status']);
    expect([...standing('principals')]).toEqual([]);
  });

  it('that was deleted has nothing of what it had, also when it is made anew', () => {
    const { apply, against, standing } = open();
    apply(1, change({ created: true, set: { status: 'active', type: 'worker' } }));
    expect([...standing('principals')]).toEqual(['worker-1']);
    apply(2, change({ deleted: true }));
    expect([...standing('principals')]).toEqual([]);
    expect(against({})).toEqual([]);
    apply(3, change({ created: true, set: { status: 'active' } }));
    expect(against({ status: 'active' })).toEqual([]);
    expect(against({ status: 'active', type: 'worker' })).toEqual(['type']);
  });

  it('is made anew by a creation, even if no entry told of its end', () => {
    const { apply, against } = open();
    apply(1, change({ created: true, set: { status: 'active', type: 'worker' } }));
    apply(2, change({ created: true, set: { status: 'active' } }));
    expect(against({ status: 'active' })).toEqual([]);
  });

  it('is not compared by what is the product’s own affair', () => {
    const { apply, against } = open();
    apply(1, change({ set: { live_serials: { hmac: 'x' }, row_version: 4, stamp: { hmac: 'y' }, status: 'active' } }));
    expect(against({ status: 'active' })).toEqual([]);
    apply(2, { changes: [{ table: 'controls', key: 'lease#truststore', set: { holder: 'x' }, removed: [] }] });
    expect(against({}, { table: 'controls', key: 'lease#truststore' })).toEqual([]);
  });

  it('of which an entry left the values out is not known, until an entry says more', () => {
    const { apply, against } = open();
    apply(1, change({ created: true, set: { status: 'active', type: 'worker' } }));
    apply(2, change({ truncated: true, names: ['status', 'x'] }));
    expect(against({ status: 'whatever', y: 1 })).toEqual([]);
    apply(3, change({ set: { status: 'active' } }));
    expect(against({ status: 'whatever', y: 1 })).toEqual(['status']);
    apply(4, change({ deleted: true }));
    expect(against({ y: 1 })).toEqual(['y']);
  });

  it('made by an entry that left all values out is not known either', () => {
    const { apply, against } = open();
    apply(1, change({ created: true, set: { status: 'active' } }));
    apply(2, change({ created: true, truncated: true, names: ['status'] }));
    expect(against({ status: 'other' })).toEqual([]);
  });

  it('keeps what was said after a difference was read, when that is entered later', () => {
    const { apply, against } = open();
    apply(1, change({ created: true, set: { status: 'active', type: 'worker' } }));
    apply(2, change({ set: { status: 'suspended' } }));
    apply(3, { ...change({ set: { status: 'active', type: 'admin' } }), as_of: 1 });
    expect(against({ status: 'suspended', type: 'admin' })).toEqual([]);
    apply(4, { ...change({ deleted: true }), as_of: 2 });
    expect(against({ status: 'suspended', type: 'admin' })).toEqual(['status']);
  });

  it('that is settled stays so, whatever is said', () => {
    const { apply, settle, standing } = open();
    apply(1, change({ created: true, set: { status: 'active' } }));
    settle(row);
    expect(apply(2, change({ set: { status: 'x' } })).touched).toEqual([]);
    expect([...standing('principals')]).toEqual([]);
  });

  it('may have an attribute whose name no object can be given', () => {
    const { apply, against, recordOf } = open();
    const set = JSON.parse('{"__proto__": {"hmac": "aa"}, "constructor": "x"}');
    apply(1, change({ set }));
    expect([...recordOf(row).attributes.keys()].sort()).toEqual(['__proto__', 'constructor']);
    expect(against(set)).toEqual([]);
    expect(against({ constructor: 'x' })).toEqual(['__proto__']);
    expect(against(JSON.parse('{"__proto__": {"hmac": "bb"}, "constructor": "x"}'))).toEqual(['__proto__']);
    apply(2, change({ removed: ['__proto__'] }));
    expect(against({ constructor: 'x' })).toEqual([]);
  });

  it('may have any names and key, and many attributes', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { maxKeys: 40 }),
        (key, set) => {
          const { apply, recordOf, digests } = open();
          apply(2 ** 40 - 1, { changes: [{ table: 'jobs', key, set, removed: [] }] });
          const record = recordOf({ table: 'jobs', key });
          const compared = Object.fromEntries(
            Object.entries(set).filter(([name]) => !['job_id', 'stamp', 'row_version'].includes(name)),
          );
          expect([...record.attributes.keys()].sort()).toEqual(Object.keys(compared).sort());
          expect([...differing(record, digests(compared))]).toEqual([]);
          for (const { sequence, digest } of record.attributes.values()) {
            expect(sequence).toBe(2 ** 40 - 1);
            expect(digest).not.toBe(absent);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a version of a row', () => {
  const versions = (...all: readonly (number | 'edit' | 'delete' | 'difference')[]) => {
    const { apply } = open();
    return all.flatMap((version, index) => {
      const more: Partial<RowChange> =
        version === 'edit'
          ? { set: { row_version: 1 } }
          : version === 'delete'
            ? { deleted: true }
            : typeof version === 'number'
              ? { version }
              : {};
      const as_of = version === 'difference' ? { as_of: index } : {};
      return apply(index + 1, { ...change(more), ...as_of }).repeated.map((one) => one.version);
    });
  };

  it('is entered once, and versions only grow; silent ones leave gaps', () => {
    expect(versions(1, 2, 3, 7)).toEqual([]);
    expect(versions(1, 2, 2)).toEqual([2]);
    expect(versions(1, 2, 3, 2)).toEqual([2]);
  });

  it('begins again with a row that is made anew, or put back, or whose version somebody edited', () => {
    expect(versions(1, 2, 'delete', 1)).toEqual([]);
    expect(versions(5, 'edit', 2, 3)).toEqual([]);
    expect(versions(5, 'difference', 2, 3)).toEqual([]);
  });

  it('may be any number that somebody typed', () => {
    expect(versions(Number.MAX_SAFE_INTEGER, -5)).toEqual([-5]);
  });
});

describe('details that are not a table’s', () => {
  it.each([
    [{}],
    [{ changes: 'none' }],
    [null],
    ['text'],
    [{ changes: [{ table: 'audit', key: 'x', set: {}, removed: [] }] }],
  ])('%j say nothing of rows', (details) => {
    expect(open().apply(1, details)).toEqual({ touched: [], repeated: [] });
  });
});

describe('the set of digests', () => {
  it('knows each of a hundred thousand once', () => {
    const digestOf = openDigest(new Uint8Array([7]));
    const { add } = openDigestSet();
    for (let n = 0; n < 100_000; n += 1) expect(add(digestOf(`event ${n}`))).toBe(true);
    for (let n = 0; n < 100_000; n += 997) expect(add(digestOf(`event ${n}`))).toBe(false);
  });

  it('takes digests of zeros', () => {
    const { add } = openDigestSet();
    expect(add(absent)).toBe(true);
    expect(add(absent)).toBe(false);
  });

  it('of other salts agree on nothing', () => {
    expect(openDigest(new Uint8Array([1]))('a')).not.toBe(openDigest(new Uint8Array([2]))('a'));
    expect(openDigest(new Uint8Array([1]))('a')).toHaveLength(8);
  });
});
