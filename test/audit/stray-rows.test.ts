/** Rows that somebody put between entries, at digits that JavaScript's numbers have not: no reader loses an entry, or its way. */
import { generateKeyPairSync } from 'node:crypto';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { beforeEach, describe, expect, it } from 'vitest';
import { append } from '../../src/audit/append.ts';
import { chainPages } from '../../src/audit/chain-pages.ts';
import { readChainRows, type Start, sequenceText } from '../../src/audit/chain-rows.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import { exportEntries } from '../../src/audit/export-entries.ts';
import { listEntries } from '../../src/audit/list-entries.ts';
import type { Verdict } from '../../src/audit/verification.ts';
import { beginChain, continueChain } from '../../src/audit/verify-chain.ts';
import { exactNumber, wholeOf } from '../../src/aws/exact-number.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeChain, type StoredRow, type TestChain } from './chain.ts';
import { rebuiltFrom } from './mutations.ts';

describe('a number of DynamoDB', () => {
  it.each([
    ['0', 0, true],
    ['-0', 0, true],
    ['10', 10, true],
    ['1E+3', 1_000, true],
    ['12.50E+1', 125, true],
    ['10.00', 10, true],
    ['-7', -7, true],
    ['9007199254740991', Number.MAX_SAFE_INTEGER, true],
    ['9007199254740993', Number.MAX_SAFE_INTEGER, false],
    ['10.00000000000000000000000000000000001', 10, false],
    ['10.99999999999999999999999999999999999', 10, false],
    ['-10.00000000000000000000000000000000001', -11, false],
    ['1E-30', 0, false],
    ['-0.00000000000000000000000000000000001', -1, false],
    ['1E+125', Number.MAX_SAFE_INTEGER, false],
    ['-1E+125', Number.MIN_SAFE_INTEGER, false],
  ])('%s is from %i on, and that itself: %s', (text, floor, exact) => {
    expect(wholeOf(text)).toEqual({ floor, exact });
  });
  it('is a number only where none of its digits is lost', () => {
    expect(['17', '-3', '17.5', '9007199254740993'].map(exactNumber)).toEqual([
      17,
      -3,
      { digits: '17.5' },
      { digits: '9007199254740993' },
    ]);
  });
});

const size = 24;
const draft = (n: number) => ({
  event_ids: [`stream:${n}`],
  time: Date.now(),
  action: n % 2 === 0 ? 'principal_suspended' : 'principal_created',
  actor: 'admin-1',
  request_id: `r-${n}`,
  subject: `principals/w-${n}`,
  details: { changes: [{ table: 'principals', key: `w-${n}`, version: 1, set: { status: 'active' }, removed: [] }] },
});

describeWithEmulator('rows between entries', (emulator) => {
  let chain: TestChain;
  beforeEach(async () => {
    chain = await makeChain(emulator);
    const writer = chain.writer();
    for (let n = 1; n <= size; n += 1) {
      const position = await append(writer, [draft(n)]);
      if (n % 6 === 0) await coverWithHead(writer, position);
    }
  });
  const all = Array.from({ length: size }, (_, index) => index + 1);
  const plant = async (sequences: readonly string[], bytes = 10) => {
    for (const N of sequences)
      await chain.client.send(
        new PutItemCommand({
          TableName: chain.TableName,
          Item: {
            chain: { S: 'main' },
            sequence: { N },
            action: { S: 'principal_suspended' },
            pad: { S: 'x'.repeat(bytes) },
          },
        }),
      );
  };
  /** More than one read brings of them: just after an entry, and just before one. */
  const flood = async () => {
    await plant(
      [1, 2, 3, 4].flatMap((n) => [`10.${'0'.repeat(30)}${n}`, `15.${'9'.repeat(30)}${n}`]),
      390_000,
    );
    await plant(['-5', '0', '0.5', '24.5', '1E+30', '-1E+30']);
  };
  const verify = async (budget: number): Promise<Verdict & { turns: number }> => {
    const world = chain.writer();
    let begun = await beginChain(world);
    for (let turns = 1; turns < 200; turns += 1) {
      const { state, verdict } = await continueChain(world, begun, budget);
      if (verdict !== null) return { ...verdict, turns };
      begun = JSON.parse(JSON.stringify(state));
    }
    throw new Error('it does not end');
  };

  it('are read once for each gap at most, and every entry once', async () => {
    await flood();
    const read: string[] = [];
    let start: Start | undefined;
    for (let pages = 0; ; pages += 1) {
      expect(pages).toBeLessThan(20);
      const page = await readChainRows(chain.writer(), { start });
      read.push(...page.rows.map(sequenceText));
      if (page.next === null) break;
      start = page.next;
    }
    expect(read.filter((text) => /^[1-9]\d?$/.test(text)).map(Number)).toEqual(all);
    expect(new Set(read).size).toBe(read.length);
    expect(read.some((text) => text.startsWith('10.0'))).toBe(true);
    expect(read.some((text) => text.startsWith('15.9'))).toBe(true);
  });

  it('do not keep verification from its end, in words and with the sequence of the first', async () => {
    await flood();
    for (const budget of [60_000, 0]) {
      const verdict = await verify(budget);
      expect(verdict).toMatchObject({ is_valid: false, total_entries: size });
      expect(verdict.problems).toEqual([expect.stringMatching(/^rows -.* stand where no entry does$/)]);
      expect(verdict.turns).toBeLessThan(20);
    }
  });

  it('do not hide an entry that was altered', async () => {
    const row = (await chain.rows())[19];
    await chain.put({ ...row, entry: row?.entry.replace('admin-1', 'admin-2') });
    await flood();
    expect(await verify(60_000)).toMatchObject({ is_valid: false, first_invalid_sequence: 20 });
  });

  it.each([
    ['a row at 0', ['0']],
    ['a row between two entries', ['3.5']],
    ['many rows', ['-3', '-2', '-1', '0', '0.5', '1.5', '2.5']],
  ])('do not hide that the chain was made anew: %s', async (_, sequences) => {
    for (const row of rebuiltFrom(await chain.rows(), 15)) await chain.put(row);
    expect(await verify(60_000)).toMatchObject({ is_valid: false, first_invalid_sequence: 13 });
    await plant(sequences);
    for (const budget of [60_000, 0])
      expect(await verify(budget)).toMatchObject({ is_valid: false, first_invalid_sequence: 13 });
  });

  it('and what else was altered on purpose do not hide where the chain was made anew', async () => {
    const decoys: ((rows: readonly StoredRow[]) => StoredRow[])[] = [
      (rows) => rows.map((row) => (row.sequence === 17 ? { ...row, action: 'another' } : row)),
      (rows) => rows.map((row) => (row.sequence === 17 ? { ...row, entry: `${row.entry} ` } : row)),
      (rows) => rows.map((row) => (row.sequence === 17 ? { ...row, hash: 'a'.repeat(64) } : row)),
      (rows) => rows.map((row) => (row.sequence === 17 ? { ...row, nodes: ['a'.repeat(64)] } : row)),
    ];
    const made = rebuiltFrom(await chain.rows(), 15).map((row) => ({ ...row, nodes: [...row.nodes] }));
    for (const decoy of decoys) {
      for (const row of decoy(made)) await chain.put({ ...row });
      const { first_invalid_sequence } = await verify(60_000);
      expect([13, 15]).toContain(first_invalid_sequence);
    }
  });

  it('do not keep the replay from an entry, nor from its end', async () => {
    await flood();
    const read: number[] = [];
    let pages = 0;
    for await (const { entries } of chainPages(chain.writer(), 0)) {
      pages += 1;
      expect(pages).toBeLessThan(20);
      read.push(...entries.map(({ sequence }) => sequence));
    }
    expect(read).toEqual(all);
  });

  it.each([1, 2, 3, 50])('hide no entry from a list of %i a page', async (limit) => {
    await flood();
    for (const action of [undefined, 'principal_suspended']) {
      const listed: number[] = [];
      let after: number | undefined;
      for (let pages = 0; ; pages += 1) {
        expect(pages).toBeLessThan(60);
        const { entries, next } = await listEntries(chain.writer(), { limit, after, action });
        listed.push(...entries.flatMap((one) => ('damaged' in one ? [] : [one.sequence])));
        if (next === undefined) break;
        after = next;
      }
      expect(listed).toEqual(all.filter((n) => action === undefined || n % 2 === 0).reverse());
    }
  });

  it('of another partition hide no entry from a list by action', async () => {
    for (let n = 0; n < 250; n += 1)
      await chain.put({ chain: `a${n}`, sequence: 20, action: 'principal_suspended', entry: 'x', hash: 'x' });
    const { entries } = await listEntries(chain.writer(), { limit: 50, action: 'principal_suspended' });
    expect(entries.map(({ sequence }) => sequence)).toContain(20);
    expect(entries).toHaveLength(size / 2);
  });

  it('hide no entry from an export', async () => {
    await flood();
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const world = { ...chain.writer(), publicKey: async () => publicKey };
    const exported: number[] = [];
    let from_sequence: number | undefined = 1;
    for (let pages = 0; from_sequence !== undefined; pages += 1) {
      expect(pages).toBeLessThan(20);
      const page: Awaited<ReturnType<typeof exportEntries>> = await exportEntries(world, { from_sequence, limit: 500 });
      exported.push(...page.lines.map(({ bytes }) => JSON.parse(bytes).sequence));
      from_sequence = page.next_sequence;
    }
    expect(exported).toEqual(all);
  });
});
