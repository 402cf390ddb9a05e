/** Finds an entry's proof where rows are missing or damaged: most of what stood in a row follows from other rows. */
import { batchGet } from '../aws/batch-get.ts';
import { auditKeys, tableName } from '../names.ts';
import { entryHash, readEnvelope } from './entry.ts';
import type { SignedHead } from './head.ts';
import type { ProvingWorld } from './prove.ts';
import { inclusionNodes, inclusionPath, lastSequenceOf, type NodeId, nodeHash, rootFromPath } from './tree.ts';

/** A row, as far as it says anything. */
export interface TreeRow {
  readonly sequence: number;
  readonly entry: string | undefined;
  readonly hash: string | undefined;
  /** Anything; what is no hash is left out. */
  readonly nodes: readonly string[];
}

/** Reads that one page may make besides its own. */
const mostReads = 200;
/** Paths that are tried for one entry; a row that is damaged doubles them. */
const mostPaths = 512;

const isHash = (text: string | undefined): text is string => text !== undefined && /^[0-9a-f]{64}$/.test(text);
const nameOf = ({ level, index }: NodeId): string => `${level}/${index}`;

/**
 * Nothing that it is told needs to be true: only a path that leads to the signed root is answered, whether the entry is
 * still what was signed or not. `rows`: those that were read already; a function reads others.
 */
export const openRecovery = (
  world: ProvingWorld,
  head: SignedHead,
  rows: Map<number, TreeRow>,
  readRow: (item: unknown) => readonly TreeRow[],
) => {
  const asked = new Set(rows.keys());
  const found = new Map<string, Promise<readonly string[]>>();
  let reads = 0;

  const load = async (sequences: readonly number[]): Promise<void> => {
    const wanted = [...new Set(sequences)].filter((sequence) => sequence <= head.size && !asked.has(sequence));
    if (wanted.length === 0 || reads === mostReads) return;
    reads += 1;
    for (const sequence of wanted) asked.add(sequence);
    const keys = wanted.map((sequence) => ({ chain: auditKeys.chain, sequence }));
    for (const item of await batchGet(world, tableName(world.deployment, 'audit'), keys))
      for (const row of readRow(item)) rows.set(row.sequence, row);
  };

  /** By the row itself, the entry that follows, and heads that name this one as their last. */
  const leaves = async (sequence: number): Promise<readonly string[]> => {
    await load([sequence, sequence + 1]);
    const row = rows.get(sequence);
    const next = rows.get(sequence + 1)?.entry;
    const said = [
      row?.hash,
      next === undefined ? undefined : readEnvelope(next)?.previous,
      row?.entry === undefined ? undefined : entryHash(row.entry),
    ];
    if (sequence === head.size) said.push(head.hash);
    else if (next === undefined && reads < mostReads) {
      reads += 1;
      for await (const { hash } of world.heads.listed({ from: sequence, to: sequence })) said.push(hash);
    }
    return unique(said);
  };

  /** What a subtree's hash may be: as its row has it, and as it follows from the subtrees below. */
  const candidates = (node: NodeId): Promise<readonly string[]> => {
    const name = nameOf(node);
    const before = found.get(name);
    if (before !== undefined) return before;
    const now = node.level === 0 ? leaves(lastSequenceOf(node)) : derive(node);
    found.set(name, now);
    return now;
  };
  const derive = async (node: NodeId): Promise<readonly string[]> => {
    const [left, right] = [below(node, 0), below(node, 1)];
    await load([lastSequenceOf(node), lastSequenceOf(left)]);
    const first = stored(left) ?? (await candidates(left))[0];
    const rights = first === undefined ? [] : await candidates(right);
    return unique([stored(node), ...rights.map((hash) => nodeHash(first ?? '', hash))]);
  };
  const stored = (node: NodeId): string | undefined => {
    const row = rows.get(lastSequenceOf(node));
    const hash = node.level === 0 ? row?.hash : row?.nodes[node.level - 1];
    return isHash(hash) ? hash : undefined;
  };

  /** Empty where no path can be found. */
  return async (sequence: number): Promise<string[]> => {
    const nodes: NodeId[] = inclusionNodes(sequence, head.size).flat();
    await load([sequence, sequence + 1, ...nodes.map(lastSequenceOf)]);
    const known: (readonly string[])[] = [];
    for (const node of nodes) known.push(await candidates(node));
    const own = await candidates({ level: 0, index: sequence - 1 });
    for (const choice of choices(known)) {
      const hashes = new Map(nodes.map((node, index) => [nameOf(node), choice[index] ?? '']));
      const path = inclusionPath(sequence, head.size, (node) => hashes.get(nameOf(node)) ?? '');
      if (own.some((leaf) => rootFromPath(leaf, sequence, head.size, path) === head.root)) return path;
    }
    return [];
  };
};

const below = ({ level, index }: NodeId, side: 0 | 1): NodeId => ({ level: level - 1, index: 2 * index + side });
const unique = (hashes: readonly (string | undefined)[]): string[] => [...new Set(hashes.filter(isHash))];

/** One of each, the first ones first; none where one of them has none. */
function* choices(lists: readonly (readonly string[])[]): Generator<readonly string[]> {
  const count = Math.min(
    mostPaths,
    lists.reduce((product, { length }) => product * length, 1),
  );
  for (let n = 0; n < count; n += 1) {
    let rest = n;
    yield lists.map((list) => {
      const one = list[rest % list.length] ?? '';
      rest = Math.floor(rest / list.length);
      return one;
    });
  }
}
