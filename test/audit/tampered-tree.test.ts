import { expect, it } from 'vitest';
import { append } from '../../src/audit/append.ts';
import { checkEntry } from '../../src/audit/check-proof.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import { type Draft, entryBytes, entryHash, noEntry, readEntry } from '../../src/audit/entry.ts';
import type { SignedHead } from '../../src/audit/head.ts';
import { provenPosition } from '../../src/audit/proven-position.ts';
import { inclusionPath, lastSequenceOf, type NodeId, nodeHash, rootOf } from '../../src/audit/tree.ts';
import type { AuditWorld } from '../../src/audit/world.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeChain, type StoredRow, type TestChain } from './chain.ts';

let count = 0;
const draft = (): Draft => ({
  event_ids: [`stream:${count++}`],
  time: 1,
  action: 'principal_suspended',
  actor: 'admin-1',
  request_id: `request-${count}`,
  subject: 'principals/worker-1',
  details: {},
});
const drafts = (length: number): Draft[] => Array.from({ length }, draft);

/** What a row of the chain must not make the writer believe: that these bytes stand in the chain. */
const forge = (row: StoredRow): string => {
  const entry = readEntry(row.entry);
  if (entry === null) throw new Error('no entry');
  return entryBytes({ ...entry, subject: 'principals/victim' });
};

/** The root of a perfect subtree, from its leaves. */
const treeHash = ({ level, index }: NodeId, leaf: (index: number) => string): string =>
  level === 0
    ? leaf(index)
    : nodeHash(
        treeHash({ level: level - 1, index: 2 * index }, leaf),
        treeHash({ level: level - 1, index: 2 * index + 1 }, leaf),
      );

const at = (rows: readonly StoredRow[], sequence: number): StoredRow => {
  const row = rows[sequence - 1];
  if (row === undefined) throw new Error(`no row ${sequence}`);
  return row;
};

describeWithEmulator('a writer whose rows somebody edits while it reads them', (emulator) => {
  const heads = (chain: TestChain) => [...chain.kept.values()].sort((one, other) => one.size - other.size);
  const grown = async (covered: number, uncovered: number) => {
    const chain = await makeChain(emulator);
    const warm = chain.writer();
    await coverWithHead(warm, await append(warm, drafts(covered)));
    if (uncovered > 0) await append(warm, drafts(uncovered));
    return { chain, warm };
  };
  const goOn = async (world: AuditWorld): Promise<void> => coverWithHead(world, await append(world, [draft()]));
  const everyRootIsRight = async (chain: TestChain): Promise<void> => {
    for (const { size, root } of heads(chain)) expect(root).toBe(await chain.rootAt(size));
  };

  it.each([
    ['just signed', 4, 0],
    ['signed, with entries after it', 4, 1],
    ['not signed yet', 1, 5],
    ['never signed', 0, 4],
  ])('proves no forged entry of a chain %s, though its nodes led there', async (_, covered, uncovered) => {
    const { chain } = await (covered === 0 ? unsigned(uncovered) : grown(covered, uncovered));
    const rows = await chain.rows();
    const bytes = forge(at(rows, 3));
    const left = nodeHash(at(rows, 1).hash, at(rows, 2).hash);
    const right = nodeHash(entryHash(bytes), at(rows, 4).hash);
    await chain.put({ ...at(rows, 4), nodes: [right, nodeHash(left, right)] });
    const cold = chain.writer();
    await goOn(cold);
    await chain.put(at(rows, 4));
    await goOn(chain.writer());
    await everyRootIsRight(chain);
    await chain.entries();
    const all = await chain.rows();
    const forgedHash = entryHash(bytes);
    for (const head of heads(chain).filter(({ size }) => size >= 4)) {
      const hashOf = ({ level, index }: { level: number; index: number }): string => {
        if (level === 0) return index === 2 ? forgedHash : at(all, index + 1).hash;
        return at(all, lastSequenceOf({ level, index })).nodes[level - 1] ?? '';
      };
      const path = inclusionPath(3, head.size, hashOf);
      expect(checkEntry(head, { bytes: at(all, 3).entry, path })).toHaveProperty('entry');
      expect(checkEntry(head, { bytes, path })).not.toHaveProperty('entry');
    }
  });
  const unsigned = async (uncovered: number) => {
    const chain = await makeChain(emulator);
    await append(chain.writer(), drafts(uncovered));
    return { chain };
  };

  it('believes no bytes of an entry that is not sealed, where two were replaced before they were signed', async () => {
    const { chain } = await grown(2, 6);
    const rows = await chain.rows();
    const forged = [4, 5].map((sequence) => {
      const entry = forge(at(rows, sequence));
      return { ...at(rows, sequence), entry, hash: entryHash(entry) };
    });
    for (const row of forged) await chain.put(row);
    await goOn(chain.writer());
    for (const { sequence } of forged) await chain.put(at(rows, sequence));
    // What was lost meanwhile is no leaf: the root is none of a tree with the forged ones.
    const head = heads(chain).at(-1);
    const all = await chain.rows();
    const leaves = all.map(({ hash }, index) => forged.find(({ sequence }) => sequence === index + 1)?.hash ?? hash);
    expect(head?.size).toBe(9);
    const left = [0, 2].map((n) => nodeHash(leaves[n] ?? '', leaves[n + 1] ?? ''));
    const right = [4, 6].map((n) => nodeHash(leaves[n] ?? '', leaves[n + 1] ?? ''));
    const withForged = nodeHash(
      nodeHash(nodeHash(left[0] ?? '', left[1] ?? ''), nodeHash(right[0] ?? '', right[1] ?? '')),
      leaves[8] ?? '',
    );
    expect(head?.root).not.toBe(withForged);
    expect(chain.alarms).toContain('an entry is missing, or not as it was appended');
    // Now that all are back, their links lead to what was signed, and heads go on, over the tree as it is.
    await goOn(chain.writer());
    expect(heads(chain).at(-1)).toMatchObject({ size: 10, root: await chain.rootAt(10) });
  });

  it('goes on signing where entries that no head covered are lost for good', async () => {
    const { chain } = await grown(2, 6);
    const rows = await chain.rows();
    await chain.remove('main', 4);
    await chain.put({ ...at(rows, 5), entry: forge(at(rows, 5)) });
    for (const size of [9, 10, 11]) {
      await goOn(chain.writer());
      expect(heads(chain).at(-1)?.size).toBe(size);
    }
    const proofOf = (sequence: number, bytes: string, head: SignedHead, leaf: (index: number) => string) =>
      checkEntry(head, {
        bytes,
        path: inclusionPath(sequence, head.size, (node) => treeHash(node, leaf)),
      });
    const all = await chain.items();
    const hashes = new Map(all.map(({ sequence, hash }) => [sequence, String(hash)]));
    const leaf = (index: number) =>
      index === 3 ? noEntry : index === 4 ? at(rows, 5).hash : (hashes.get(index + 1) ?? '');
    const head = heads(chain).at(-1);
    if (head === undefined) throw new Error('no head');
    expect(proofOf(7, at(rows, 7).entry, head, leaf)).toHaveProperty('entry');
    expect(proofOf(5, forge(at(rows, 5)), head, leaf)).not.toHaveProperty('entry');
  });

  it('takes the hash of an unsigned entry that was removed from the one after it', async () => {
    const { chain } = await grown(2, 6);
    const rows = await chain.rows();
    await chain.remove('main', 5);
    await goOn(chain.writer());
    await chain.put(at(rows, 5));
    await chain.entries();
    await everyRootIsRight(chain);
  });

  it('builds the tree from the entries where its nodes are not those that were signed', async () => {
    const { chain } = await grown(150, 3);
    const rows = await chain.rows();
    await chain.put({ ...at(rows, 128), nodes: at(rows, 128).nodes.map(() => 'a'.repeat(64)) });
    // One of the entries is not as it was, and its neighbour tells what it was; between others lies what is none.
    await chain.put({ ...at(rows, 40), entry: forge(at(rows, 40)) });
    await chain.remove('main', 77);
    await chain.put({ chain: 'main', sequence: 60.5, entry: 'x' });
    await goOn(chain.writer());
    expect(chain.alarms).toEqual(['entries are missing, or not as they were signed']);
    await chain.remove('main', 60.5);
    for (const sequence of [40, 77, 128]) await chain.put(at(rows, sequence));
    await chain.entries();
    expect(heads(chain).map(({ size }) => size)).toEqual([150, 154]);
    await everyRootIsRight(chain);
  });

  it('records, and signs nothing, while entries that the tree needs are gone; and signs when they are back', async () => {
    const { chain } = await grown(8, 0);
    const rows = await chain.rows();
    for (const sequence of [6, 7, 8]) await chain.remove('main', sequence);
    const cold = chain.writer();
    await goOn(cold);
    await goOn(cold);
    expect((await chain.items()).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 9, 10]);
    expect(heads(chain).map(({ size }) => size)).toEqual([8]);
    expect(chain.alarms).toContain('no head is signed while entries are not as they were signed');
    for (const sequence of [6, 7, 8]) await chain.put(at(rows, sequence));
    await goOn(cold);
    expect(heads(chain).map(({ size }) => size)).toEqual([8, 11]);
    await everyRootIsRight(chain);
  });

  it('goes on reading a long chain anew where the call before ended', async () => {
    const { chain } = await grown(600, 0);
    await chain.put({ ...at(await chain.rows(), 512), nodes: [] });
    // So it has to ask for ten places at a time.
    for (let n = 1; n < 600; n += 1) await chain.put({ chain: 'main', sequence: n + 0.5 });
    const world = chain.writer();
    const [head] = heads(chain);
    if (head === undefined) throw new Error('no head');
    expect(await provenPosition(world, head)).toMatchObject({ size: 600, isUnproven: true });
    const proven = await provenPosition(world, head);
    expect(proven.isUnproven).toBeUndefined();
    expect(rootOf(proven.frontier)).toBe(head.root);
  });
});
