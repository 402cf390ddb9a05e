/** A chain as the product's writer makes it, in memory: the same function builds its rows, only nothing is sent anywhere. */
import { buildChunk, type Chunk } from '../src/audit/chunk.ts';
import { type Draft, type EntryRow, noEntry } from '../src/audit/entry.ts';
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

/** Entries of one transaction. */
export const batch = 40;

/** So many drafts differ; a longer chain tells the same again, with everything that its writer adds. */
const distinct = 4_000;
const made = new WeakMap<Uint8Array, Draft[]>();
const draftAt = (stampKey: Uint8Array, n: number): Draft => {
  const drafts = made.get(stampKey) ?? [];
  made.set(stampKey, drafts);
  const draft = drafts[n % distinct] ?? draftOf(stampKey, n % distinct);
  drafts[n % distinct] = draft;
  return draft;
};

/** The next batch, at most up to `size` entries; `build` is what the writer does before it sends anything. */
export const appendBatch = (
  { deployment, stampKey }: Sealing,
  position: Position,
  size: number,
): { readonly build: () => Chunk } => {
  const first = position.size;
  const drafts = Array.from({ length: Math.min(batch, size - first) }, (_, n) => draftAt(stampKey, first + n));
  // Half a second after the last change.
  const now = () => began + (first + drafts.length) * 1_000 + 500;
  return { build: () => buildChunk({ deployment, now }, stampKey, position, drafts) };
};

/** Appends batches up to `size` entries and hands each one's rows out, with the position after it. */
export function* growChain(
  sealing: Sealing,
  start: Position,
  size: number,
): Generator<{ readonly rows: readonly StoredRow[]; readonly position: Position }> {
  let position = start;
  while (position.size < size) {
    const chunk = appendBatch(sealing, position, size).build();
    position = chunk.position;
    yield { rows: chunk.rows.map((row) => ({ chain: auditKeys.chain, ...row })), position };
  }
}
