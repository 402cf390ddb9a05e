/**
 * Compares the tables with the chain, replayed: what was changed while no stream was read, put back from a backup, or
 * taken away is found, and entered once.
 */
import { auditMetrics } from '../names.ts';
import { batches } from './batches.ts';
import { readEntries } from './chain-pages.ts';
import { lastSequence } from './comparison.ts';
import {
  type Difference,
  differenceDraft,
  type Reconciliation,
  reconciledDraft,
  repetitionDraft,
} from './difference.ts';
import { openDigest } from './digest.ts';
import { enter } from './enter.ts';
import type { Draft } from './entry.ts';
import { absent, changesSchema } from './ledger.ts';
import { openReplay, type Replay } from './replay.ts';
import { type Confirmed, openSearch, type SearchWorld } from './suspects.ts';
import type { AuditWorld } from './world.ts';

export interface ReconcileWorld extends AuditWorld, SearchWorld {}

/**
 * `run` names the invocation: one that is repeated enters nothing twice, and neither do two at the same time. A row that
 * the chain disagrees with is looked at again when what was under way has been entered; only what stays is a difference.
 */
export const reconcileAudit = async (world: ReconcileWorld, { run }: { run: string }): Promise<Reconciliation> => {
  const stampKey = await world.stampKey();
  const replay = openReplay(world, openDigest(world.randomBytes(16)));
  const search = openSearch(world, replay, stampKey);
  let differences = 0;
  const telling = () => ({ as_of: replay.position(), run, now: world.now() });
  const found = async (drafts: readonly Draft[]): Promise<void> => {
    differences += drafts.length;
    await enter(world, drafts, { more: true });
  };

  const { rows, foreign } = await search.everywhere();
  const undecided = await search.confirm(async (some) => {
    const confirmed = await withHistory(world, replay, some);
    await found(confirmed.map((difference) => differenceDraft(stampKey, difference, telling())));
  });
  for (const some of batches(replay.repetitions()))
    await found(some.map((repetition) => repetitionDraft(repetition, telling())));

  // What nobody could look at again may be any difference.
  if (undecided > 0) {
    world.warn('rows differ from the chain, and could not be looked at again', { rows: undecided });
    world.count({ [auditMetrics.differences]: 1 });
  }
  const result = { rows, entries: replay.position(), differences, undecided, foreign };
  await enter(world, [reconciledDraft(result, telling())]);
  return result;
};

/** What the chain says of the attributes, out of the entries that said it. */
const withHistory = async (
  world: AuditWorld,
  { ledger }: Replay,
  rows: readonly Confirmed[],
): Promise<Difference[]> => {
  const said = rows.map((row) => {
    const known = [...ledger.recordOf(row).attributes].filter(([, { digest }]) => digest !== absent);
    const differing = known.filter(([name]) => row.names.includes(name));
    return { row, differing, unknown: known.length === 0, since: lastSequence(ledger, row) };
  });
  const sequences = new Set(said.flatMap(({ differing }) => differing.map(([, { sequence }]) => sequence)));
  const entries = new Map((await readEntries(world, [...sequences])).map((entry) => [entry.sequence, entry]));
  return said.map(({ row, differing, unknown, since }) => {
    const before = differing.flatMap(([name, { sequence }]) => {
      const changes = changesSchema.safeParse(entries.get(sequence)?.details).data?.changes ?? [];
      const change = changes.findLast(
        ({ table, key, set }) => table === row.table && key === row.key && Object.hasOwn(set, name),
      );
      return change === undefined ? [] : [[name, change.set[name]] as const];
    });
    return { ...row, before: Object.fromEntries(before), unknown, since };
  });
};
