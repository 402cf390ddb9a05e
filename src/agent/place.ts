/**
 * Puts a version in place and has its consumer take it up, or puts back what was there. Each step can be taken again, so
 * that a journal entry is enough to go on wherever the agent was killed.
 */
import type { Endpoint } from './config.ts';
import { messageOf } from './failed.ts';
import { type Entry, writeEntry } from './journal.ts';
import { check, checksCandidate, reload } from './reload.ts';
import type { State } from './state.ts';
import { point } from './versions.ts';

/** How a deployment ended. */
export interface Outcome {
  /** null: the version is in place and its consumer has taken it up. */
  readonly wrong: string | null;
  /** Whether the consumer has what the links lead to: reloading failed last otherwise. */
  readonly settled: boolean;
}

/** Puts the links back as they were. @throws what the disk says: the journal still knows what is to be done */
const undo = async (endpoint: Endpoint, { before, step }: Entry): Promise<Outcome> => {
  if (step.name !== 'undoing') throw new Error('nothing is to be undone');
  const { reason } = step;
  if (before.current === null) {
    // A consumer that may have read it already would find nothing when it starts again.
    if (step.reload)
      return {
        wrong: `${reason}; nothing was deployed there before, so the new certificate was left in place`,
        settled: false,
      };
    point(endpoint, 'current', null);
    return { wrong: reason, settled: true };
  }
  point(endpoint, 'current', before.current);
  point(endpoint, 'previous', before.previous);
  if (!step.reload) return { wrong: reason, settled: true };
  const again = await reload(endpoint, before.current);
  const back = `${reason}; the previous certificate is back in place`;
  return { wrong: again === null ? back : `${back}, but reloading failed again: ${again}`, settled: again === null };
};

const fail = (state: State, endpoint: Endpoint, entry: Entry, reason: string, reload: boolean): Promise<Outcome> => {
  const undoing: Entry = { ...entry, step: { name: 'undoing', reason, reload } };
  try {
    writeEntry(state, undoing);
  } catch {
    // A full disk must not keep the old version out. Killed now, the agent would try the new one once more.
  }
  return undo(endpoint, undoing);
};

/**
 * Takes the entry to its end: the version in place and the consumer reloaded, or what was there before put back.
 * @throws what the disk says; the entry stays, to be taken up again
 */
export const place = async (state: State, endpoint: Endpoint, entry: Entry): Promise<Outcome> => {
  if (entry.step.name === 'undoing') return undo(endpoint, entry);
  const { before, fingerprint } = entry;
  try {
    if (before.current !== fingerprint) point(endpoint, 'previous', before.current);
    point(endpoint, 'current', fingerprint);
  } catch (error) {
    return fail(state, endpoint, entry, messageOf(error), false);
  }
  const unfit = checksCandidate(endpoint) ? null : await check(endpoint, fingerprint);
  if (unfit !== null) return fail(state, endpoint, entry, unfit, false);
  const unmoved = await reload(endpoint, fingerprint);
  return unmoved === null ? { wrong: null, settled: true } : fail(state, endpoint, entry, unmoved, true);
};

/**
 * Puts an earlier version back in place of one that must not serve. Where its consumer does not take it up, the links
 * lead to it all the same. @throws what the disk says; the entry stays
 */
export const putBack = async (endpoint: Endpoint, { fingerprint }: Entry): Promise<Outcome> => {
  point(endpoint, 'current', fingerprint);
  // It would lead to what was just taken out of service.
  point(endpoint, 'previous', null);
  const wrong = (await check(endpoint, fingerprint)) ?? (await reload(endpoint, fingerprint));
  return { wrong, settled: wrong === null };
};
