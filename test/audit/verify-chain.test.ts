/** Verifying a chain that stands in a table: by pages, by turns, from the newest head on, and while it grows. */
import { beforeEach, expect, it } from 'vitest';
import { append } from '../../src/audit/append.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import { entryHash, readEntry } from '../../src/audit/entry.ts';
import { type Verdict, type Verification, verificationSchema } from '../../src/audit/verification.ts';
import { beginAtHead, beginChain, continueChain } from '../../src/audit/verify-chain.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeChain, type TestChain } from './chain.ts';
import { draft } from './rows.ts';

describeWithEmulator('verifying a chain', (emulator) => {
  let chain: TestChain;
  beforeEach(async () => {
    chain = await makeChain(emulator);
  });

  /** Entries `from` to `to`, and a head over them. */
  const grow = async (from: number, to: number, note = '') => {
    const world = chain.writer();
    const drafts = Array.from({ length: to - from + 1 }, (_, n) => draft(from + n, { details: { note, n } }));
    await coverWithHead(world, await append(world, drafts));
  };
  const verify = async (begun?: Verification): Promise<Verdict> => {
    const world = chain.writer();
    const { verdict } = await continueChain(world, begun ?? (await beginChain(world)), 60_000);
    if (verdict === null) throw new Error('it took longer than a minute');
    return verdict;
  };
  const sinceHead = async () => verify(await beginAtHead(chain.writer()));

  it('says of an empty one that it is valid', async () => {
    const nothing = { is_valid: true, total_entries: 0, first_invalid_sequence: null, head: null };
    expect(await verify()).toMatchObject(nothing);
    expect(await sinceHead()).toMatchObject({ ...nothing, checked_from: 1 });
  });

  it('reads all of its pages, at once or a turn at a time', async () => {
    // 60 entries of 50 KB: more than one query answers.
    for (let from = 1; from <= 60; from += 20) await grow(from, from + 19, 'x'.repeat(50_000));
    const whole = await verify();
    expect(whole).toMatchObject({ is_valid: true, total_entries: 60, problems: [], head: { size: 60 } });
    const world = chain.writer();
    let state = await beginChain(world);
    for (let turns = 1; ; turns += 1) {
      const turn = await continueChain(world, state, 0);
      state = verificationSchema.parse(JSON.parse(JSON.stringify(turn.state)));
      if (turn.verdict === null) continue;
      expect(turn.verdict).toEqual(whole);
      expect(turns).toBeGreaterThan(1);
      break;
    }
  }, 60_000);

  it('raises no alarm for what is appended between two turns', async () => {
    for (let from = 1; from <= 40; from += 20) await grow(from, from + 19, 'x'.repeat(50_000));
    const world = chain.writer();
    const first = await continueChain(world, await beginChain(world), 0);
    expect(first.verdict).toBeNull();
    await grow(41, 60);
    expect(await verify(first.state)).toMatchObject({ is_valid: true, total_entries: 60, head: { size: 60 } });
  }, 60_000);

  it('raises none for what is appended and signed while it looks at the end', async () => {
    await grow(1, 5);
    let reads = 0;
    const world = chain.writer({
      step: async (name, go) => {
        const answer = await go();
        if (name === 'QueryCommand' && reads++ === 0) await grow(6, 9);
        return answer;
      },
    });
    const { verdict } = await continueChain(world, await beginChain(world), 60_000);
    expect(verdict).toMatchObject({ is_valid: true, total_entries: 9, head: { size: 9 } });
  });

  it('finds entries that were taken from the end, and those that were altered', async () => {
    await grow(1, 6);
    await grow(7, 10);
    const rows = await chain.rows();
    await chain.remove('main', 10);
    expect(await verify()).toMatchObject({
      is_valid: false,
      first_invalid_sequence: 10,
      problems: [expect.stringMatching(/^entry 10 is missing: a head was signed over 10 at /)],
    });
    for (const row of rows.slice(9)) await chain.put(row);
    expect(await verify()).toMatchObject({ is_valid: true });
    const entry = rows[3]?.entry.replace('admin-one', 'admin-two') ?? '';
    await chain.put({ ...rows[3], entry, hash: entryHash(entry) });
    expect(await verify()).toMatchObject({ is_valid: false, first_invalid_sequence: 4 });
  });

  it('finds an entry at the end that the chain’s writer did not enter, before any head covers it', async () => {
    await grow(1, 6);
    const [last] = (await chain.rows()).slice(-1);
    if (last === undefined) throw new Error('no entries');
    const entry = last.entry
      .replace('"sequence":6', '"sequence":7')
      .replace(readEntry(last.entry)?.previous ?? '', last.hash);
    await chain.put({ ...last, sequence: 7, entry, hash: entryHash(entry), nodes: [] });
    expect(await verify()).toMatchObject({ is_valid: false, total_entries: 7, first_invalid_sequence: 7 });
    expect(await sinceHead()).toMatchObject({ is_valid: false, total_entries: 7, first_invalid_sequence: 7 });
  });

  it('begins at the newest head when asked to, and says what it did not read', async () => {
    await grow(1, 6);
    await grow(7, 10);
    const world = chain.writer();
    await append(world, [draft(11)]);
    expect(await sinceHead()).toEqual({
      is_valid: true,
      total_entries: 11,
      first_invalid_sequence: null,
      problems: [],
      remarks: ['entries 1 to 10 were not read: a head is signed over them'],
      checked_from: 11,
      head: { size: 10, signed_at: expect.any(Number) },
    });
    // What it does not read it does not see; the whole chain's verification does.
    const rows = await chain.rows();
    const edited = rows[2]?.entry.replace('admin-one', 'admin-two') ?? '';
    await chain.put({ ...rows[2], entry: edited, hash: entryHash(edited) });
    expect(await sinceHead()).toMatchObject({ is_valid: true });
    expect(await verify()).toMatchObject({ is_valid: false, first_invalid_sequence: 3 });
  });

  it('sees, beginning at a head, whether the chain still leads to it', async () => {
    await grow(1, 11);
    const rows = await chain.rows();
    const at = (sequence: number) => rows[sequence - 1];
    const attempts: [Record<string, unknown>, number | null][] = [
      [{ ...at(11), entry: at(11)?.entry.replace('admin-one', 'admin-two') }, 11],
      [{ ...at(11), entry: 7 }, 11],
      [{ ...at(8), nodes: at(8)?.nodes.map(() => 'a'.repeat(64)) }, null],
      [{ ...at(8), nodes: [] }, null],
    ];
    for (const [edited, first] of attempts) {
      await chain.put(edited);
      const { is_valid, first_invalid_sequence, problems } = await sinceHead();
      expect({ is_valid, first_invalid_sequence }).toEqual({ is_valid: false, first_invalid_sequence: first });
      expect(problems.length).toBeGreaterThan(0);
      for (const row of rows) await chain.put(row);
    }
    await chain.remove('main', 11);
    expect(await sinceHead()).toMatchObject({ first_invalid_sequence: 11, problems: ['entry 11 is missing'] });
    await chain.remove('main', 8);
    expect(await sinceHead()).toMatchObject({
      is_valid: false,
      first_invalid_sequence: 8,
      problems: ['entry 8 is missing', 'entry 11 is missing'],
    });
  });

  it('throws what the table throws, and is none the wiser', async () => {
    await grow(1, 3);
    const world = chain.writer({
      step: async (name, go) => (name === 'QueryCommand' ? Promise.reject(new Error('throttled')) : go()),
    });
    await expect(continueChain(world, await beginChain(world), 60_000)).rejects.toThrow('throttled');
  });
});
