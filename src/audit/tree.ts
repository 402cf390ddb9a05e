/**
 * The Merkle tree over the entries, as RFC 6962 (section 2.1) and RFC 9162 have it: leaves are `entryBytes`. Hashes are
 * lower-case hex, as rows, heads and proofs hold them.
 */
import { hash } from 'node:crypto';

/** SHA-256 of a zero byte and the leaf's UTF-8. */
export const leafHash = (bytes: string): string => hash('sha256', `\0${bytes}`, 'hex');

// One buffer for all: nothing awaits between writing it and hashing it.
const node = Buffer.alloc(65, 1);
export const nodeHash = (left: string, right: string): string => {
  if (node.write(left, 1, 32, 'hex') + node.write(right, 33, 32, 'hex') !== 64) throw new Error('a hash that is none');
  return hash('sha256', node, 'hex');
};

/** The root of the tree without leaves. */
const emptyRoot = hash('sha256', '', 'hex');

/** The roots of the perfect subtrees that a tree of `size` leaves consists of, the largest first. */
export interface Frontier {
  readonly size: number;
  readonly roots: readonly string[];
}
export const emptyFrontier: Frontier = { size: 0, roots: [] };

/** Adds a leaf to the roots of a tree of `size` leaves, in place. @returns what it completes, as `addLeaf` does */
export const pushLeaf = (roots: string[], size: number, leaf: string): string[] => {
  const completed: string[] = [];
  let root = leaf;
  for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
    const sibling = roots.pop();
    if (sibling === undefined) throw new Error('a frontier without its roots');
    root = nodeHash(sibling, root);
    completed.push(root);
  }
  roots.push(root);
  return completed;
};

/** Adds one leaf. `completed`: the perfect subtrees of two leaves and more that it completes, the smallest first. */
export const addLeaf = (
  { size, roots: before }: Frontier,
  leaf: string,
): { readonly frontier: Frontier; readonly completed: readonly string[] } => {
  const roots = [...before];
  const completed = pushLeaf(roots, size, leaf);
  return { frontier: { size: size + 1, roots }, completed };
};

const fold = (roots: readonly string[]): string | undefined =>
  roots.length === 0 ? undefined : roots.reduceRight((right, left) => nodeHash(left, right));

export const rootOf = ({ roots }: Frontier): string => fold(roots) ?? emptyRoot;

/**
 * A perfect subtree: its leaves are the 2^level ones from index * 2^level on, counted from 0. Level 0 is the leaf.
 * The row that holds its hash is the one of its last leaf.
 */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/** The perfect subtrees of a tree of `size` leaves, the largest first: those of its frontier. */
export const frontierNodes = (size: number): NodeId[] => {
  const nodes: NodeId[] = [];
  let start = 0;
  for (let level = 52; level >= 0; level -= 1) {
    const width = 2 ** level;
    if (size - start < width) continue;
    nodes.push({ level, index: start / width });
    start += width;
  }
  return nodes;
};

/** The sequence (from 1) of the entry that completes the subtree, in whose row its hash stands. */
export const lastSequenceOf = ({ level, index }: NodeId): number => (index + 1) * 2 ** level;

/**
 * What the inclusion proof of an entry in a tree of `size` leaves is made of: one group of perfect subtrees for each
 * element of the path. A group of several, the largest first, is the right edge of the tree and is folded into one hash.
 */
export const inclusionNodes = (sequence: number, size: number): NodeId[][] => {
  if (!(sequence >= 1 && sequence <= size)) throw new Error('an entry outside of the tree');
  const groups: NodeId[][] = [];
  let index = sequence - 1;
  let last = size - 1;
  for (let level = 0; last > 0; level += 1) {
    if (index % 2 === 1) groups.push([{ level, index: index - 1 }]);
    else if (index + 1 < last) groups.push([{ level, index: index + 1 }]);
    else if (index + 1 === last) groups.push(edgeNodes(level, index + 1, size));
    index = Math.floor(index / 2);
    last = Math.floor(last / 2);
  }
  return groups;
};

/** The perfect subtrees of the subtree at the right edge that begins where the node of this level and index would. */
const edgeNodes = (level: number, index: number, size: number): NodeId[] => {
  const start = index * 2 ** level;
  return frontierNodes(size - start).map((inner) => ({
    level: inner.level,
    index: start / 2 ** inner.level + inner.index,
  }));
};

/** The audit path of RFC 9162, section 2.1.3.1, from the hashes that `hashOf` knows of perfect subtrees. */
export const inclusionPath = (sequence: number, size: number, hashOf: (node: NodeId) => string): string[] =>
  inclusionNodes(sequence, size).map((group) => fold(group.map(hashOf)) ?? emptyRoot);

/** The root that a leaf and its path lead to (RFC 9162, section 2.1.3.2); null where the path is not of the right length. */
export const rootFromPath = (leaf: string, sequence: number, size: number, path: readonly string[]): string | null => {
  if (!(Number.isSafeInteger(size) && Number.isSafeInteger(sequence) && sequence >= 1 && sequence <= size)) return null;
  let index = sequence - 1;
  let last = size - 1;
  let root = leaf;
  for (const sibling of path) {
    if (last === 0 || !/^[0-9a-f]{64}$/.test(sibling)) return null;
    if (index % 2 === 1 || index === last) {
      root = nodeHash(sibling, root);
      while (index % 2 === 0 && index !== 0) {
        index = Math.floor(index / 2);
        last = Math.floor(last / 2);
      }
    } else root = nodeHash(root, sibling);
    index = Math.floor(index / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? root : null;
};
