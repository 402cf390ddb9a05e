/** The Merkle tree over the entries, as RFC 6962 (section 2.1) and RFC 9162 have it: leaves are `entryBytes`. */
import { createHash } from 'node:crypto';

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);

export const leafHash = (bytes: string): Buffer => sha256(leafPrefix, Buffer.from(bytes, 'utf8'));
export const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => sha256(nodePrefix, left, right);

/** The root of the tree without leaves. */
const emptyRoot = (): Buffer => sha256();

/** The roots of the perfect subtrees that a tree of `size` leaves consists of, the largest first. */
export interface Frontier {
  readonly size: number;
  readonly roots: readonly Uint8Array[];
}
export const emptyFrontier: Frontier = { size: 0, roots: [] };

/** Adds one leaf. `completed`: the perfect subtrees of two leaves and more that it completes, the smallest first. */
export const addLeaf = (
  { size, roots }: Frontier,
  leaf: Uint8Array,
): { readonly frontier: Frontier; readonly completed: readonly Buffer[] } => {
  const left = [...roots];
  const completed: Buffer[] = [];
  let node: Uint8Array = leaf;
  for (let rest = size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
    const sibling = left.pop();
    if (sibling === undefined) throw new Error('a frontier without its roots');
    const parent = nodeHash(sibling, node);
    completed.push(parent);
    node = parent;
  }
  return { frontier: { size: size + 1, roots: [...left, node] }, completed };
};

export const rootOf = ({ roots }: Frontier): Buffer => {
  const [last, ...others] = [...roots].reverse();
  if (last === undefined) return emptyRoot();
  return others.reduce<Buffer>((right, left) => nodeHash(left, right), Buffer.from(last));
};

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
