/** Rolls a renewal back by command, from whichever state it is in: at once, or as soon as what is under way has ended. */
import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import type { Change } from '../aws/change.ts';
import { unchanged } from '../aws/unchanged.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { findEndpoint } from '../endpoint/get-endpoint.ts';
import { Conflict } from '../errors.ts';
import { jobIndexes } from '../names.ts';
import { keepGoing } from './execution.ts';
import { findJobs, getJob } from './find-job.ts';
import type { Job } from './job.ts';
import { queryJobs } from './list-jobs.ts';
import { rollbackOf, wishRollback } from './rollback.ts';
import { saveJob } from './save-job.ts';
import { afterFailure, isLive, transition } from './status.ts';
import { withoutTask } from './task.ts';
import type { StartingWorld, WaitingWorld } from './world.ts';

export type RollingWorld = StartingWorld & WaitingWorld;

export interface RollbackRequest {
  readonly caller: Caller;
  readonly job_id: string;
  readonly reason: string;
}

/** As many as one endpoint may have had since. */
const mostNewer = 100;

/** A later renewal of the endpoint that succeeded; null: none did. */
const newerSuccess = async (world: RollingWorld, { job_id, endpoint_id }: Job): Promise<string | null> => {
  const key = ['endpoint_id', endpoint_id] as const;
  const ids = await queryJobs(world, { index: jobIndexes.byEndpoint, key, limit: mostNewer });
  const newer = await findJobs(
    world,
    ids.filter((id) => id > job_id),
  );
  const found = [...newer.values()].find((one) => 'status' in one && one.status === 'SUCCEEDED');
  return found?.job_id ?? null;
};

/**
 * A renewal that had given up takes its endpoint once more, to put back what was served before. @throws Conflict where
 * another one has it, or has succeeded since
 */
const takeBack = async (world: RollingWorld, job: Job): Promise<Change> => {
  const { job_id, endpoint_id } = job;
  const endpoint = await findEndpoint(world, endpoint_id);
  if (endpoint === null) throw new Conflict(`the endpoint ${endpoint_id} was deleted`, 'endpoint_id');
  const { row, live_job } = endpoint;
  if (live_job !== undefined && live_job !== job_id)
    throw new Conflict(
      `the renewal ${live_job} is under way; roll that one back: everleaf renewal rollback ${live_job}`,
    );
  const newer = await newerSuccess(world, job);
  if (newer !== null)
    throw new Conflict(`the renewal ${newer} has succeeded since; nothing of this one is served any more`, 'status');
  const action = 'rollback_requested';
  return {
    ...{ table: 'endpoints', key: endpoint_id, row, action, set: { live_job: job_id } },
    condition: unchanged(row, ['live_job']),
  };
};

/** What the wish makes of the job in the same write. */
const rolled = (job: Job, now: number): Job => {
  const wished = job.rollback?.reason ?? '';
  switch (rollbackOf(job)) {
    case 'roll_back':
      return withoutTask(transition(job, { to: 'ROLLED_BACK', reason: wished }, now));
    case 'fail':
      return withoutTask(transition(job, { to: 'FAILED', reason: wished }, now));
    default:
      return job;
  }
};

/** Rolling back what is rolled back changes nothing. @throws NotFound; Conflict for one that succeeded; NotAllowed */
export const rollbackJob = async (world: RollingWorld, { caller, job_id, reason }: RollbackRequest): Promise<Job> => {
  const author = authorOf(caller);
  let waiting: string | undefined;
  await untilSettled<void>(world, async () => {
    const job = await getJob(world, job_id);
    const what = rollbackOf(job);
    if (what === 'nothing') return;
    const wished = wishRollback(job, { reason, by: caller.principal_id });
    const next = what === 'restore' ? wished : rolled(wished, world.now());
    const steps = [
      ...(what === 'restore' ? [await takeBack(world, job)] : []),
      callerIsActive(world, caller),
      ...callerStands(world, caller),
    ];
    const action = job.status === next.status ? { action: 'rollback_requested' } : {};
    if ((await saveJob(world, author, job, { next, steps, ...action })) === 'again') return 'again';
    if (what === 'fail') waiting = job.task_token;
    // Where nothing was deployed, nothing has to be put back first.
    return what === 'fail' && afterFailure(next) === 'roll_back' ? 'more' : undefined;
  });
  // Whoever waits for an agent waits no more.
  if (waiting !== undefined) await world.tokens.fail(waiting, { error: 'Conflict', cause: 'it is to be rolled back' });
  const job = await getJob(world, job_id);
  return isLive(job) ? keepGoing(world, author, job_id) : job;
};
