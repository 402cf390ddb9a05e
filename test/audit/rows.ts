/** Rows of a chain as the product writes them, without the product's writer. */
import { type Draft, type EntryRow, entryBytes, entryHash, noEntry } from '../../src/audit/entry.ts';
import { addLeaf, emptyFrontier, leafHash } from '../../src/audit/tree.ts';

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
    });
    const added = addLeaf(frontier, leafHash(entry));
    ({ frontier } = added);
    previous = entryHash(entry);
    return { sequence, entry, hash: previous, action: one.action, nodes: added.completed };
  });
};
