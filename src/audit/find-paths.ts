/** Entries' proofs against a head: from rows, and where those are not as they were from whatever else tells. */
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import { auditKeys, tableName } from '../names.ts';
import { entryHash } from './entry.ts';
import type { SignedHead } from './head.ts';
import type { ProvingWorld } from './prove.ts';
import { openRecovery, type TreeRow } from './recover-path.ts';
import { inclusionNodes, inclusionPath, lastSequenceOf, type NodeId, rootFromPath } from './tree.ts';

const rowSchema = z.looseObject({
  sequence: z.number().refine(Number.isSafeInteger),
  entry: z.string().optional().catch(undefined),
  hash: z.string().optional().catch(undefined),
  nodes: z.array(z.string()).catch([]),
});

/** None for what is no row of an entry. */
export const readTreeRow = (item: unknown): TreeRow[] => {
  const { data } = rowSchema.safeParse(item);
  return data === undefined ? [] : [{ entry: undefined, hash: undefined, ...data }];
};

/** One for each of the rows, which the head covers; empty where none can be found, and where none is needed. */
export const findPaths = async (
  world: ProvingWorld,
  head: SignedHead,
  rows: readonly (TreeRow & { readonly entry: string })[],
): Promise<string[][]> => {
  const known = new Map<number, TreeRow>(rows.map((row) => [row.sequence, row]));
  const wanted = new Set<number>();
  for (const { sequence } of rows)
    for (const node of inclusionNodes(sequence, head.size).flat())
      if (!known.has(lastSequenceOf(node))) wanted.add(lastSequenceOf(node));
  const keys = [...wanted].map((sequence) => ({ chain: auditKeys.chain, sequence }));
  const others = await batchGet(world, tableName(world.deployment, 'audit'), keys);
  for (const row of others.flatMap(readTreeRow)) known.set(row.sequence, row);
  const hashOf = (node: NodeId): string | undefined => {
    const row = known.get(lastSequenceOf(node));
    return node.level === 0 ? row?.hash : row?.nodes[node.level - 1];
  };
  const recover = openRecovery(world, head, known, readTreeRow);
  const paths: string[][] = [];
  for (const { sequence, entry } of rows) {
    const path = pathOf(sequence, head.size, hashOf);
    const leads = path !== null && rootFromPath(entryHash(entry), sequence, head.size, path) === head.root;
    paths.push(leads ? path : await recover(sequence));
  }
  return paths;
};

const pathOf = (sequence: number, size: number, hashOf: (node: NodeId) => string | undefined): string[] | null => {
  const hashes = inclusionNodes(sequence, size).flat().map(hashOf);
  if (!hashes.every((hash) => hash !== undefined && /^[0-9a-f]{64}$/.test(hash))) return null;
  return inclusionPath(sequence, size, (node) => hashOf(node) ?? '');
};
