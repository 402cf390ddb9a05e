/** A chain as the product's writer makes it, in memory: the same function builds its rows, only nothing is sent anywhere. */
import { buildChunk } from '../src/audit/chunk.ts';
import { type EntryRow, noEntry } from '../src/audit/entry.ts';
import type { Position } from '../src/audit/position.ts';
import { emptyFrontier } from '../src/audit/tree.ts';
import { auditKeys, type Deployment } from '../src/names.ts';
import { began, draftOf } from './audit-drafts.ts';

export const emptyChain: Position = { size: 0, hash: noEntry, frontier: emptyFrontier, appended_at: 0 };

/** As a query returns it. */
export type StoredRow = Pick<EntryRow, keyof EntryRow> & { readonly chain: string };

export interface Sealing {
  readonly deployment: Deployment;
  readonly stampKey: Uint8Array;
}

/** A row's entry is entered half a second after its change, in batches of at most this many. */
const batch = 40;

/** Appends batches up to `size` entries and hands each one's rows out, with the position after it. */
export function* growChain(
  { deployment, stampKey }: Sealing,
  start: Position,
  size: number,
): Generator<{ readonly rows: readonly StoredRow[]; readonly position: Position }> {
  let position = start;
  while (position.size < size) {
    const first = position.size;
    const drafts = Array.from({ length: Math.min(batch, size - first) }, (_, n) => draftOf(stampKey, first + n));
    const now = () => began + (first + drafts.length) * 1_000 + 500;
    const chunk = buildChunk({ deployment, now }, stampKey, position, drafts);
    position = chunk.position;
    yield { rows: chunk.rows.map((row) => ({ chain: auditKeys.chain, ...row })), position };
  }
}
