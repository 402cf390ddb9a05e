/** Does a task, once: what was done before and still holds is answered from memory. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from '../cli/files.ts';
import type { Challenges } from './challenge.ts';
import type { Clock } from './clock.ts';
import type { AgentConfig, Endpoint } from './config.ts';
import { deploy, deployedBy, type Ended } from './deploy.ts';
import { failed, messageOf } from './failed.ts';
import { closeEntry, type Entry, findEntry } from './journal.ts';
import { forgetKeys, makeJobCsr } from './keys.ts';
import type { Log } from './log.ts';
import { contentOf, type Memory, type Remembered } from './memory.ts';
import { place, putBack } from './place.ts';
import type { Answer, Task } from './protocol.ts';
import { restore, restoredBy } from './restore.ts';
import type { State } from './state.ts';
import { validate } from './validate.ts';
import { pruneVersions, readLink, sweepFolder } from './versions.ts';

export interface Performing {
  readonly config: AgentConfig;
  readonly state: State;
  readonly memory: Memory;
  readonly challenges: Challenges;
  readonly clock: Clock;
  readonly log: Log;
  readonly stopping: AbortSignal;
}

/** A job's deployment and its restoration undo each other: an answer about the one says nothing after the other. */
const opposite = { deploy: 'restore', restore: 'deploy' } as const;

/** Whether what was answered is still so, for a job's task that comes under another name. */
const stillHolds = (endpoint: Endpoint, kind: Task['kind'], { answer }: Remembered): boolean => {
  if (answer.status !== 'done') return false;
  if (kind === 'make_csr') return true;
  return (kind === 'deploy' || kind === 'restore') && 'fingerprint' in answer
    ? readLink(endpoint, 'current') === answer.fingerprint
    : false;
};

/** null: the task has to be done. */
const recalled = ({ memory }: Performing, endpoint: Endpoint, task: Task): Answer | null => {
  if (task.kind === 'serve_challenge' || task.kind === 'clear_challenge') return null;
  const found = memory.recall(task);
  if (found === null) return null;
  if (found.task_id === task.task_id) return found.answer;
  return found.content === contentOf(task) && stillHolds(endpoint, task.kind, found) ? found.answer : null;
};

const say = ({ log }: Performing, job_id: string, error: unknown): void =>
  log('error', 'cannot write down an answer', { job_id, reason: messageOf(error) });

/** Remembers the answer and closes the journal's entry, in this order: killed in between, the agent does nothing twice. */
const conclude = (performing: Performing, entry: Entry, { answer, settled }: Ended): Answer => {
  const { state, memory } = performing;
  const { job_id, task_id, kind, content } = entry;
  memory.forget({ job_id, kind: opposite[kind] });
  try {
    memory.remember({ job_id, kind }, { task_id, content, answer, settled });
  } catch (error) {
    say(performing, job_id, error);
    // Done twice does no harm; undone twice would try the new version again.
    if (answer.status === 'done') return answer;
  }
  closeEntry(state, job_id);
  return answer;
};

/** Where nothing was changed, a memory that the disk refuses costs doing it again. */
const tryToRemember = (performing: Performing, task: Task, { answer, settled }: Ended): Answer => {
  try {
    performing.memory.remember(task, { task_id: task.task_id, content: contentOf(task), answer, settled });
  } catch (error) {
    say(performing, task.job_id, error);
  }
  return answer;
};

/** Takes up what the journal says was begun. @throws what the disk says; the entry stays */
export const resume = async (performing: Performing, endpoint: Endpoint, entry: Entry): Promise<Answer> => {
  const found = performing.memory.recall(entry);
  if (found?.task_id === entry.task_id) {
    closeEntry(performing.state, entry.job_id);
    return found.answer;
  }
  sweepFolder(endpoint);
  const ended =
    entry.kind === 'deploy'
      ? deployedBy(entry, await place(performing.state, endpoint, entry))
      : restoredBy(entry, await putBack(endpoint, entry));
  return conclude(performing, entry, ended);
};

const deployOrRestore = async (
  performing: Performing,
  endpoint: Endpoint,
  task: Extract<Task, { kind: 'deploy' | 'restore' }>,
): Promise<Answer> => {
  const { state, clock, stopping, memory } = performing;
  const { job_id, task_id, kind } = task;
  const content = contentOf(task);
  const begun = findEntry(state, job_id);
  // A deployment that is stuck gives way to its restoration, which begins with whatever stands there.
  if (begun !== null && (begun.kind === kind || begun.kind === 'restore')) {
    const answer = await resume(performing, endpoint, begun.content === content ? { ...begun, task_id } : begun);
    if (begun.content === content) return answer;
  }
  const before = memory.recall({ job_id, kind: 'deploy' });
  const undone = begun === null && before?.answer.status === 'failed' && before.settled;
  const ended =
    task.kind === 'deploy'
      ? await deploy({ state, endpoint, content, now: clock.now(), stopping }, task)
      : await restore({ state, endpoint, content, undone }, task);
  const entry = findEntry(state, job_id);
  return entry?.kind === kind ? conclude(performing, entry, ended) : tryToRemember(performing, task, ended);
};

const fullchainOf = ({ directory }: Endpoint): string =>
  readIfThere(join(directory, 'current', 'fullchain.pem'), 'current') ?? '';

/** @throws Stopped, and what the disk says: then nothing is answered, and the task comes again */
export const perform = async (performing: Performing, endpoint: Endpoint, task: Task): Promise<Answer> => {
  const { config, state, clock, challenges, stopping } = performing;
  const known = recalled(performing, endpoint, task);
  if (known !== null) return known;
  if (task.expires_at <= clock.now()) return failed('the task came too late: its time was over');
  switch (task.kind) {
    case 'deploy':
    case 'restore':
      return deployOrRestore(performing, endpoint, task);
    case 'make_csr': {
      const answer = await makeJobCsr(state, task, clock.now());
      return tryToRemember(performing, task, { answer, settled: true });
    }
    case 'serve_challenge':
      return challenges.serve(config.http01, task);
    case 'clear_challenge':
      await challenges.clear(task.token);
      return { status: 'done' };
    case 'validate': {
      const cacert = config.cacert === null ? '' : readFileSync(config.cacert, 'utf8');
      const answer = await validate(task, { cacert, fullchain: fullchainOf(endpoint), stopping });
      return tryToRemember(performing, task, { answer, settled: true });
    }
  }
};

/** After the server has taken a deployment's answer: the versions and keys before the previous one are of no use any more. */
export const tidy = ({ state }: Performing, endpoint: Endpoint, task: Task, answer: Answer): void => {
  if (task.kind !== 'deploy' || answer.status !== 'done') return;
  pruneVersions(endpoint);
  forgetKeys(state, endpoint.endpoint_id, task.job_id, 0);
};
