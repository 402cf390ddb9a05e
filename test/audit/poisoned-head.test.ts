/** A head that the chain's own writer was led to sign over a forged tree: verification names it, and no proof is made by it. */
import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { append } from '../../src/audit/append.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import { type Entry, entryBytes, entryHash, readEntry } from '../../src/audit/entry.ts';
import { exportEntries } from '../../src/audit/export-entries.ts';
import { deploymentWord, headKey, signHead } from '../../src/audit/head.ts';
import { proveEntry } from '../../src/audit/prove.ts';
import { addLeaf, emptyFrontier, rootOf } from '../../src/audit/tree.ts';
import { beginAtHead, beginChain, continueChain } from '../../src/audit/verify-chain.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeChain, type StoredRow, type TestChain } from './chain.ts';

const draft = (n: number) => ({
  event_ids: [`stream:${n}`],
  time: Date.now(),
  action: 'principal_created',
  actor: 'admin-1',
  request_id: `r-${n}`,
  subject: `principals/w-${n}`,
  details: { changes: [{ table: 'principals', key: `w-${n}`, version: 1, set: { status: 'active' }, removed: [] }] },
});

describeWithEmulator('a head over a forged tree', (emulator) => {
  let chain: TestChain;
  let rows: StoredRow[];
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const prover = () => ({ ...chain.writer(), publicKey: async () => publicKey });
  beforeEach(async () => {
    chain = await makeChain(emulator);
    const writer = chain.writer();
    for (let n = 1; n <= 8; n += 1) await coverWithHead(writer, await append(writer, [draft(n)]));
    rows = await chain.rows();
  });

  /** The rows with entry 3 forged: its bytes, its hash, and the tree over it; the entries after it are as they were. */
  const forged = (): StoredRow[] => {
    let frontier = emptyFrontier;
    return rows.map((row) => {
      const entry: Entry | null = row.sequence === 3 ? readEntry(row.entry) : null;
      const bytes = entry === null ? row.entry : entryBytes({ ...entry, actor: 'mallory' });
      const added = addLeaf(frontier, entryHash(bytes));
      ({ frontier } = added);
      return { ...row, entry: bytes, hash: entryHash(bytes), nodes: [...added.completed] };
    });
  };
  const signOver = async (over: readonly StoredRow[], size: number) => {
    const { frontier } = over
      .slice(0, size)
      .reduce((before, { hash }) => addLeaf(before.frontier, hash), { frontier: emptyFrontier });
    const unsigned = {
      deployment: deploymentWord(chain.deployment),
      size,
      hash: over[size - 1]?.hash ?? '',
      root: rootOf(frontier),
      signed_at: Date.now(),
    };
    const head = await signHead(unsigned, chain.writer().signHead);
    chain.kept.set(headKey(head), head);
    return head;
  };
  const remove = (size: number): void => {
    for (const [key, head] of chain.kept) if (head.size === size) chain.kept.delete(key);
  };
  const verify = async (begin: typeof beginChain = beginChain) => {
    const world = chain.writer();
    return (await continueChain(world, await begin(world), 60_000)).verdict;
  };

  it.each([
    [6, 'beside the genuine one', false],
    [6, 'alone', true],
    [8, 'beside the genuine one', false],
    [8, 'alone', true],
  ])('of size %i, %s, makes the chain invalid by its name in the listing', async (size, _, alone) => {
    if (alone) remove(size);
    await signOver(forged(), size);
    expect(await verify()).toMatchObject({
      is_valid: false,
      first_invalid_sequence: null,
      problems: [`the head of size ${size} was signed over another tree than that of the entries`],
    });
  });

  it('makes it invalid also where only what came since the newest head is read', async () => {
    await signOver(forged(), 8);
    expect(await verify(beginAtHead)).toMatchObject({ is_valid: false });
  });

  it('that somebody else signed makes nothing invalid, and is told of', async () => {
    const head = await signOver(forged(), 6);
    chain.kept.set(headKey(head), { ...head, signed_at: head.signed_at + 1 });
    expect(await verify()).toMatchObject({ is_valid: true, remarks: [expect.stringContaining('is not signed by')] });
  });

  describe('is proven by', () => {
    it('nowhere: another one of its size was signed', async () => {
      await signOver(forged(), 8);
      await expect(proveEntry(prover(), 5)).rejects.toThrow('more than one head of size 8');
      await expect(exportEntries(prover(), { from_sequence: 1, limit: 10 })).rejects.toThrow('more than one head');
    });

    it('nowhere, though the rows lead to it: an entry of earlier heads is another', async () => {
      remove(8);
      await signOver(forged(), 8);
      for (const row of forged()) await chain.put({ ...row });
      await expect(proveEntry(prover(), 3)).rejects.toThrow('cannot be proven');
    });
  });

  it('is none of those that prove what they cover', async () => {
    for (const { sequence, entry } of rows) {
      const proof = await proveEntry(prover(), sequence);
      expect(proof).toMatchObject({ sequence, bytes: entry, head: { size: 8 } });
    }
  });
});
