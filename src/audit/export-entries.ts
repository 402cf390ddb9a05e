/** Exports the chain a page at a time, each entry with its proof against one signed head. */
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import { Conflict, InvalidInput } from '../errors.ts';
import { auditKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { readChainRows } from './chain-rows.ts';
import type { Proven } from './check-proof.ts';
import { entryHash } from './entry.ts';
import type { SignedHead } from './head.ts';
import { pageBytes } from './list-entries.ts';
import { newestHead } from './newest-head.ts';
import type { ProvingWorld } from './prove.ts';
import { openRecovery, type TreeRow } from './recover-path.ts';
import { checkStanding } from './standing-head.ts';
import { inclusionNodes, inclusionPath, lastSequenceOf, type NodeId, rootFromPath } from './tree.ts';

export interface ExportQuery {
  readonly from_sequence: number;
  /** The size of the head that a page before was proven against; the newest head where absent. */
  readonly head_size?: number | undefined;
  readonly limit: number;
}

export interface ExportPage {
  readonly head: SignedHead;
  /** PEM */
  readonly public_key: string;
  /** An entry that is not there has no line; one that no path is found for has an empty one. */
  readonly lines: readonly Proven[];
  /** Absent when the head covers nothing more. */
  readonly next_sequence?: number;
}

const rowSchema = z.looseObject({
  sequence: z.number().refine(Number.isSafeInteger),
  entry: z.string().optional().catch(undefined),
  hash: z.string().optional().catch(undefined),
  nodes: z.array(z.string()).catch([]),
});
type Row = TreeRow & { readonly entry: string };

/** @throws InvalidInput on `head_size` and `from_sequence`, Conflict before the first head is signed, and where two of a size are */
export const exportEntries = async (
  world: ProvingWorld,
  { from_sequence, head_size, limit }: ExportQuery,
): Promise<ExportPage> => {
  const head = await findHead(world, head_size);
  if (from_sequence > head.size)
    throw new InvalidInput('from_sequence', `must be at most ${head.size}, up to which entries are signed`);
  const to = Math.min(head.size, from_sequence + limit - 1);
  const { rows, next } = await readRows(world, from_sequence, to);
  const paths = await readPaths(world, head, rows);
  return {
    head,
    public_key: (await world.publicKey()).export({ type: 'spki', format: 'pem' }).toString(),
    lines: rows.map(({ entry }, index) => ({ bytes: entry, path: paths[index] ?? [] })),
    ...(next > head.size ? {} : { next_sequence: next }),
  };
};

const findHead = async ({ heads }: ProvingWorld, size: number | undefined): Promise<SignedHead> => {
  const head = await newestHead(heads, size === undefined ? {} : { to: size });
  if (size !== undefined && head?.size !== size)
    throw new InvalidInput('head_size', 'must be the size of a signed head');
  if (head === null)
    throw new Conflict('no head of the chain has been signed yet; its first entry gets one within seconds');
  await checkStanding({ heads }, head);
  return head;
};

/** The rows that are there, from one sequence to another, as far as they fit into an answer. */
const readRows = async (world: World, from: number, to: number): Promise<{ rows: Row[]; next: number }> => {
  const { rows: items, next } = await readChainRows(world, { start: { at: from, exclusive: false }, end: to });
  const rows: Row[] = [];
  let bytes = 0;
  for (const row of items.flatMap(readRow)) {
    if (!isLine(row)) continue;
    bytes += Buffer.byteLength(row.entry);
    if (rows.length > 0 && bytes > pageBytes) return { rows, next: row.sequence };
    rows.push(row);
  }
  return { rows, next: next === null ? to + 1 : next.at + (next.exclusive ? 1 : 0) };
};

/** None for what is no row of an entry. */
const readRow = (item: unknown): TreeRow[] => {
  const { data } = rowSchema.safeParse(item);
  return data === undefined ? [] : [{ entry: undefined, hash: undefined, ...data }];
};
/** Without its entry, it is missing in an export. */
const isLine = (row: TreeRow): row is Row => row.entry !== undefined;

/** The proofs, from the rows themselves and a few others; where those are not as they were, from whatever else tells. */
const readPaths = async (world: ProvingWorld, head: SignedHead, rows: readonly Row[]): Promise<string[][]> => {
  const known = new Map<number, TreeRow>(rows.map((row) => [row.sequence, row]));
  const wanted = new Set<number>();
  for (const { sequence } of rows)
    for (const node of inclusionNodes(sequence, head.size).flat())
      if (!known.has(lastSequenceOf(node))) wanted.add(lastSequenceOf(node));
  const keys = [...wanted].map((sequence) => ({ chain: auditKeys.chain, sequence }));
  const others = await batchGet(world, tableName(world.deployment, 'audit'), keys);
  for (const row of others.flatMap(readRow)) known.set(row.sequence, row);
  const hashOf = (node: NodeId): string | undefined => {
    const row = known.get(lastSequenceOf(node));
    return node.level === 0 ? row?.hash : row?.nodes[node.level - 1];
  };
  const recover = openRecovery(world, head, known, readRow);
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
