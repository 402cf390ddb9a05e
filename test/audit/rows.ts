/** Rows of a chain as the product writes them, without the product's writer. */
import { type KeyObject, sign } from 'node:crypto';
import type { Proven } from '../../src/audit/check-proof.ts';
import { type Draft, type EntryRow, entryBytes, entryHash, noEntry } from '../../src/audit/entry.ts';
import { type SignedHead, signHead, type UnsignedHead } from '../../src/audit/head.ts';
import {
  addLeaf,
  emptyFrontier,
  inclusionPath,
  leafHash,
  type NodeId,
  nodeHash,
  rootOf,
} from '../../src/audit/tree.ts';

/** Entry n is entered at `began` + n seconds. */
export const began = Date.parse('2024-12-25T10:30:00Z');

export const draft = (n: number, values: Partial<Draft> = {}): Draft => ({
  event_ids: [`stream:${n}`],
  time: began + n * 1_000 - 300,
  action: 'principal_created',
  actor: 'admin-one',
  request_id: `request-${n}`,
  subject: `principals/worker-${n}`,
  details: { changes: [{ table: 'principals', key: `worker-${n}`, set: { status: 'active' }, removed: [] }] },
  ...values,
});

/** The first draft becomes entry 1. */
export const rowsOf = (drafts: readonly Draft[]): EntryRow[] => {
  let previous = noEntry;
  let frontier = emptyFrontier;
  return drafts.map((one, index) => {
    const sequence = index + 1;
    const entry = entryBytes({
      ...one,
      event_ids: [...one.event_ids],
      sequence,
      appended_at: began + sequence * 1_000,
      previous,
      seal: 'a-seal-that-nobody-asks',
    });
    const added = addLeaf(frontier, leafHash(entry));
    ({ frontier } = added);
    previous = entryHash(entry);
    return { sequence, entry, hash: previous, action: one.action, nodes: added.completed };
  });
};

/** A head over the rows, signed by a key that never saw KMS. */
export const headOver = (
  rows: readonly EntryRow[],
  privateKey: KeyObject,
  values: Partial<UnsignedHead> = {},
): Promise<SignedHead> =>
  signHead(
    {
      deployment: 'airunner/prod',
      size: rows.length,
      hash: rows.at(-1)?.hash ?? noEntry,
      root: rootOf(rows.reduce((frontier, { entry }) => addLeaf(frontier, leafHash(entry)).frontier, emptyFrontier)),
      signed_at: began + rows.length * 1_000 + 500,
      ...values,
    },
    async (bytes) => sign('sha256', bytes, privateKey),
  );

const hashOf = (rows: readonly EntryRow[], { level, index }: NodeId): string =>
  level === 0
    ? leafHash(rows[index]?.entry ?? '')
    : nodeHash(
        hashOf(rows, { level: level - 1, index: 2 * index }),
        hashOf(rows, { level: level - 1, index: 2 * index + 1 }),
      );

/** The entry's proof in the tree over all of the rows, from nothing but their entries. */
export const provenIn = (rows: readonly EntryRow[], sequence: number): Proven => ({
  bytes: rows[sequence - 1]?.entry ?? '',
  path: inclusionPath(sequence, rows.length, (node) => hashOf(rows, node)),
});
