/** Puts the version before back in place of one that must not serve any more. */
import type { Endpoint } from './config.ts';
import type { Ended } from './deploy.ts';
import { failed } from './failed.ts';
import { type Entry, supersede, writeEntry } from './journal.ts';
import { type Outcome, putBack } from './place.ts';
import type { TaskOf } from './protocol.ts';
import type { State } from './state.ts';
import { isWhole, prepareFolder, readLink } from './versions.ts';

export interface Restoring {
  readonly state: State;
  readonly endpoint: Endpoint;
  /** Of the task: what tells it from another one of the job's. */
  readonly content: string;
  /** Whether the job's deployment undid itself to the end. */
  readonly undone: boolean;
}

const refused = (reason: string): Ended => ({ answer: failed(reason), settled: true });

/** Nothing is ever taken away that nothing takes the place of. @throws what the disk says; the journal knows how far it came */
export const restore = async (restoring: Restoring, task: TaskOf<'restore'>): Promise<Ended> => {
  const { state, endpoint, content, undone } = restoring;
  const { job_id, task_id, endpoint_id, fingerprint: bad, previous_fingerprint: wanted } = task;
  prepareFolder(endpoint);
  const current = readLink(endpoint, 'current');
  if (wanted === null) return refused('there was no certificate before; nothing was taken away');
  if (wanted === bad) return refused('the certificate to put back is the one that must not serve');
  if (current !== bad && current !== wanted && current !== null)
    return refused(`another certificate is deployed since: ${current}; nothing was changed`);
  if (!isWhole(endpoint, wanted))
    return refused(`the version ${wanted} is not on this node any more; nothing was changed`);
  // The consumer never saw the other one, or has been told: a check that fails by now is another matter.
  if (current === wanted && (undone || !isWhole(endpoint, bad)))
    return { answer: { status: 'done', fingerprint: wanted }, settled: true };
  const before = { current, previous: readLink(endpoint, 'previous') };
  const entry: Entry = {
    ...{ task_id, job_id, endpoint_id, kind: 'restore', content, directory: endpoint.directory, before },
    fingerprint: wanted,
    step: { name: 'placing' },
  };
  writeEntry(state, entry);
  supersede(state, entry);
  return restoredBy(entry, await putBack(endpoint, entry));
};

/** What a restoration that is over came to. */
export const restoredBy = ({ fingerprint }: Entry, { wrong, settled }: Outcome): Ended => ({
  answer:
    wrong === null
      ? { status: 'done', fingerprint }
      : failed(`${fingerprint} is in place again, but its consumer has not taken it up: ${wrong}`),
  settled,
});
