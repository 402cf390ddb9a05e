/** Puts the version before back in place of one that must not serve any more. */
import type { Endpoint } from './config.ts';
import { failed } from './failed.ts';
import { type Entry, supersede, writeEntry } from './journal.ts';
import { putBack } from './place.ts';
import type { Answer, TaskOf } from './protocol.ts';
import type { State } from './state.ts';
import { isWhole, prepareFolder, readLink } from './versions.ts';

/** Nothing is ever taken away that nothing takes the place of. @throws what the disk says; the journal knows how far it came */
export const restore = async (
  state: State,
  endpoint: Endpoint,
  content: string,
  task: TaskOf<'restore'>,
): Promise<Answer> => {
  const { job_id, task_id, endpoint_id, fingerprint: bad, previous_fingerprint: wanted } = task;
  prepareFolder(endpoint);
  const current = readLink(endpoint, 'current');
  if (wanted === null) return failed('there was no certificate before; nothing was taken away');
  if (wanted === bad) return failed('the certificate to put back is the one that must not serve');
  if (current !== bad && current !== wanted && current !== null)
    return failed(`another certificate is deployed since: ${current}; nothing was changed`);
  if (!isWhole(endpoint, wanted))
    return failed(`the version ${wanted} is not on this node any more; nothing was changed`);
  const before = { current, previous: readLink(endpoint, 'previous') };
  const entry: Entry = {
    ...{ task_id, job_id, endpoint_id, kind: 'restore', content, directory: endpoint.directory, before },
    fingerprint: wanted,
    step: { name: 'placing' },
  };
  writeEntry(state, entry);
  supersede(state, entry);
  return restoredOf(entry, await putBack(endpoint, entry));
};

/** What a restoration that is over answers. */
export const restoredOf = ({ fingerprint }: Entry, wrong: string | null): Answer =>
  wrong === null
    ? { status: 'done', fingerprint }
    : failed(`${fingerprint} is in place again, but its consumer has not taken it up: ${wrong}`);
