/**
 * Whatever somebody who owns the chain's table does to a chain of some hundred entries is found, and where it begins. No
 * head is written for it: there are those that were signed as the chain grew. EVERLEAF_TEST_FULL=1 leaves nothing out.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { emptyChain, growChain, type StoredRow } from '../../bench/audit-chain.ts';
import { headKey, type SignedHead } from '../../src/audit/head.ts';
import type { Position } from '../../src/audit/position.ts';
import { type Verdict, type Verification, verificationSchema } from '../../src/audit/verification.ts';
import { beginChain, continueChain } from '../../src/audit/verify-chain.ts';
import { testStampKey } from '../stamps.ts';
import { type Bucket, bucketOf, deployment, foreignKey, headAt, type Row, signAs, worldOf } from './memory.ts';
import { type Mutation, mutationsAt, rebuilt, rebuiltFrom } from './mutations.ts';

const size = 300;
const full = process.env.EVERLEAF_TEST_FULL === '1';

/** Heads as they are signed: after batches of 7 to 30 entries. */
const headSizes: number[] = [];
for (let at = 0; at < size; ) {
  at = Math.min(size, at + 7 + ((at * 11 + 5) % 24));
  headSizes.push(at);
}

const rows: StoredRow[] = [];
const heads: SignedHead[] = [];
let bucket: Bucket = new Map();
/** Just after the last entry was entered. */
let now = 0;

beforeAll(async () => {
  let position: Position = emptyChain;
  for (const next of headSizes) {
    for (const batch of growChain({ deployment, stampKey: testStampKey }, position, next)) {
      rows.push(...batch.rows);
      ({ position } = batch);
    }
    heads.push(await headAt(position));
  }
  bucket = bucketOf(heads);
  now = position.appended_at + 1_000;
});

const verify = async (
  stored: readonly Row[],
  kept: Bucket = bucket,
  at: number = now,
  { pageRows = 1_000, budget = 1e9 } = {},
): Promise<Verdict> => {
  const world = worldOf(stored, kept, { pageRows, now: () => at });
  let begun: Verification = await beginChain(world);
  for (;;) {
    const { state, verdict } = await continueChain(world, begun, budget);
    if (verdict !== null) return verdict;
    // What is known goes from one function to the next as JSON.
    begun = verificationSchema.parse(JSON.parse(JSON.stringify(state)));
  }
};

/** All sequences, or those where something ends or begins and some between. */
const places = (): number[] => {
  const all = Array.from({ length: size }, (_, index) => index + 1);
  if (full) return all;
  const near = new Set([1, 2, 3, size - 1, size, headSizes[3], 1 + (headSizes[3] ?? 0), 128, 129]);
  return all.filter((sequence) => near.has(sequence) || sequence % 53 === 0);
};

const wrongAbout = async (mutations: readonly Mutation[], kept: Bucket): Promise<string[]> => {
  const wrong: string[] = [];
  for (const { name, rows: stored, first } of mutations) {
    const { is_valid, first_invalid_sequence, problems } = await verify(stored, kept);
    if (is_valid || first_invalid_sequence !== first || problems.length === 0)
      wrong.push(`${name}: ${first} is wrong, found was ${first_invalid_sequence}: ${problems[0]}`);
  }
  return wrong;
};

/** What else somebody who can write the bucket puts there: nothing is taken away. */
const cluttered = async (stored: readonly Row[]): Promise<Bucket> => {
  const objects = new Map(bucket);
  for (const head of heads) {
    // Over each head, what is none, and a delete marker.
    const theirs = await signAs({ ...head, root: 'd'.repeat(64) }, foreignKey.privateKey);
    objects.set(headKey(head), { texts: [JSON.stringify(head), JSON.stringify(theirs), 'no JSON'], hidden: true });
    // Beside it, one for the chain as it is now, first there, but signed by nobody who may.
    const hash = `${stored[head.size - 1]?.hash ?? 'e'.repeat(64)}`;
    if (hash === head.hash || !/^[0-9a-f]{64}$/.test(hash)) continue;
    const forged = await signAs({ ...head, hash }, foreignKey.privateKey);
    objects.set(headKey(forged), { texts: [JSON.stringify(forged)] });
  }
  const [first] = heads;
  if (first === undefined) throw new Error('no heads');
  // Of another deployment, by whatever key; a head under the name of another; and something that is none at all.
  const other = await signAs({ ...first, size: size + 40, hash: 'f'.repeat(64) }, undefined, 'airunner/stage');
  objects.set(headKey(other), { texts: [JSON.stringify(other)] });
  objects.set(headKey({ ...first, size: size + 50 }), { texts: [JSON.stringify(first)] });
  objects.set('heads/readme.txt', { texts: ['hello'] });
  return objects;
};

describe('the chain as it is', () => {
  it('is valid, at every size that it ever had', async () => {
    for (let at = 0; at <= size; at += 1) {
      const stored = rows.slice(0, at);
      const signed = heads.filter((head) => head.size <= at);
      const entered = JSON.parse(stored.at(-1)?.entry ?? '{"appended_at":0}').appended_at;
      const found = await verify(stored, bucketOf(signed), entered + 60_000);
      expect(found).toEqual({
        is_valid: true,
        total_entries: at,
        first_invalid_sequence: null,
        problems: [],
        remarks: [],
        checked_from: 1,
        head: signed.length === 0 ? null : { size: signed.at(-1)?.size, signed_at: signed.at(-1)?.signed_at },
      });
    }
  });

  it('is valid whatever lies among its heads, and the answer says what does', async () => {
    const { remarks, ...found } = await verify(rows, await cluttered(rows.with(30, { ...rows[0] } as StoredRow)));
    expect(found).toMatchObject({ is_valid: true, total_entries: size, problems: [], head: { size } });
    expect(remarks).toEqual(expect.arrayContaining([expect.stringMatching(/not signed by this deployment$/)]));
    expect(remarks).toEqual(
      expect.arrayContaining([expect.stringMatching(/^the head of size \d+ lies under a delete/)]),
    );
  });

  it('is not valid without any head, or when none covers its newest entries in five minutes', async () => {
    expect(await verify(rows, new Map(), now + 400_000)).toMatchObject({ is_valid: false, first_invalid_sequence: 1 });
    const all = bucketOf(heads.slice(0, -1));
    const covered = headSizes.at(-2) ?? 0;
    const entered = JSON.parse(rows[covered]?.entry ?? '').appended_at;
    expect(await verify(rows, all, entered + 299_000)).toMatchObject({ is_valid: true });
    expect(await verify(rows, all, entered + 301_000)).toMatchObject({
      is_valid: false,
      first_invalid_sequence: covered + 1,
      problems: [`no head was signed over what comes after entry ${covered}`],
    });
    // As if entered in the future.
    expect(await verify(rows, all, entered - 301_000)).toMatchObject({ is_valid: false });
  });
});

describe('a chain that was touched', () => {
  it.each(places())(
    'shows every change at entry %i, and where it begins',
    async (sequence) => {
      const mutations = mutationsAt(rows, sequence);
      expect(mutations.length).toBeGreaterThan(150);
      expect(await wrongAbout(mutations, bucket)).toEqual([]);
    },
    60_000,
  );

  it('shows it whatever was put among its heads to hide it', async () => {
    const wrong: string[] = [];
    for (const sequence of places()) {
      const mutations = mutationsAt(rows, sequence);
      for (const mutation of mutations.filter((_, index) => index % (full ? 5 : 17) === sequence % (full ? 5 : 17)))
        wrong.push(...(await wrongAbout([mutation], await cluttered(mutation.rows))));
    }
    expect(wrong).toEqual([]);
  }, 600_000);

  it('shows every truncation', async () => {
    for (let left = 0; left < size; left += 1)
      expect(await verify(rows.slice(0, left))).toMatchObject({ is_valid: false, first_invalid_sequence: left + 1 });
  });

  it('shows that it was made anew from some entry on, however well it fits together', async () => {
    for (const sequence of full ? rows.map((row) => row.sequence) : [...places(), 4, 10, 40, 77, 150, 210, 285]) {
      const made = rebuiltFrom(rows, sequence);
      const agreeing = Math.max(0, ...headSizes.filter((one) => one < sequence));
      // Where a head was signed at that very entry, its root tells that all before are right.
      const first = headSizes.includes(sequence) ? sequence : agreeing + 1;
      const versions: [readonly StoredRow[], number, number][] = [
        [made, first, first],
        [rebuilt([...made, ...rows.slice(0, 3)], size + 1), first, first],
        // Cut off as well: at the latest where entries are missing.
        [made.slice(0, sequence), Math.min(first, sequence), sequence + 1],
        [made.slice(0, -1), Math.min(first, size), size],
      ];
      for (const [stored, least, most] of versions)
        for (const kept of [bucket, await cluttered(stored)]) {
          const { is_valid, first_invalid_sequence } = await verify(stored, kept);
          expect(is_valid).toBe(false);
          expect(first_invalid_sequence).toBeGreaterThanOrEqual(least);
          expect(first_invalid_sequence).toBeLessThanOrEqual(most);
        }
    }
  }, 600_000);

  it('shows what was put at its end, before its beginning, or beyond all counting', async () => {
    const [last] = rows.slice(-1);
    const forged = rebuilt([...rows, ...rows.slice(0, 1)], size + 1);
    expect(await verify(forged)).toMatchObject({ is_valid: false, first_invalid_sequence: size + 1 });
    for (const sequence of [0, -1, -0.5, 0.5, size + 0.5, -(2 ** 60), 2 ** 60, 1e30, 1e-30]) {
      const stored = [...rows, { ...last, sequence }].sort(
        (one, other) => Number(one.sequence) - Number(other.sequence),
      );
      for (const pageRows of [1, 2, 300, 1_000])
        expect(await verify(stored, bucket, now, { pageRows }), `${sequence} in pages of ${pageRows}`).toMatchObject({
          is_valid: false,
          first_invalid_sequence: sequence,
        });
    }
    expect(await verify([...rows, { ...last, sequence: 10 ** 12 }])).toMatchObject({
      is_valid: false,
      first_invalid_sequence: size + 1,
    });
  });

  it('is told the same by parts as in one go', async () => {
    for (const sequence of [1, 2, headSizes[2] ?? 0, 1 + (headSizes[2] ?? 0), 199, size]) {
      const mutations = mutationsAt(rows, sequence).filter((_, index) => full || index % 29 === sequence % 29);
      for (const { name, rows: stored } of [...mutations, { name: 'made anew', rows: rebuiltFrom(rows, sequence) }])
        for (const pageRows of [1, 7, 64]) {
          const pick = ({ is_valid, total_entries, first_invalid_sequence, head }: Verdict) => ({
            name,
            is_valid,
            total_entries,
            first_invalid_sequence,
            head,
          });
          const whole = await verify(stored);
          expect(pick(await verify(stored, bucket, now, { pageRows, budget: 0 }))).toEqual(pick(whole));
        }
    }
  }, 600_000);
});
