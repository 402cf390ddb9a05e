/** Exports the chain a page at a time, each entry with its proof against one signed head. */
import { Conflict, InvalidInput } from '../errors.ts';
import type { World } from '../world.ts';
import { readChainRows } from './chain-rows.ts';
import type { Proven } from './check-proof.ts';
import { findPaths, readTreeRow } from './find-paths.ts';
import type { SignedHead } from './head.ts';
import { pageBytes } from './list-entries.ts';
import { newestHead } from './newest-head.ts';
import type { ProvingWorld } from './prove.ts';
import type { TreeRow } from './recover-path.ts';
import { checkStanding } from './standing-head.ts';

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
  const paths = await findPaths(world, head, rows);
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
  for (const row of items.flatMap(readTreeRow)) {
    if (!isLine(row)) continue;
    bytes += Buffer.byteLength(row.entry);
    if (rows.length > 0 && bytes > pageBytes) return { rows, next: row.sequence };
    rows.push(row);
  }
  return { rows, next: next === null ? to + 1 : next.at + (next.exclusive ? 1 : 0) };
};

/** Without its entry, it is missing in an export. */
const isLine = (row: TreeRow): row is Row => row.entry !== undefined;
