/** What rolling back by command means, in each state of a renewal. */
import { Conflict } from '../errors.ts';
import { arrows, type Progress } from './status.ts';

/**
 * `nothing`: it is rolled back already. `roll_back`: it becomes ROLLED_BACK at once. `fail`: it becomes FAILED at once, and
 * goes on from there. `restore`: putting the previous certificate back has failed, and is due again. `later`: its next
 * step, or the end of the restoring that is under way, finds the wish.
 */
export type Rollback = 'nothing' | 'roll_back' | 'fail' | 'restore' | 'later';

/** @throws Conflict on `status` for one that succeeded: its certificate is the endpoint's own by now */
export const rollbackOf = (job: Progress & { readonly endpoint_id: string }): Rollback => {
  const { status, restore } = job;
  if (status === 'SUCCEEDED')
    throw new Conflict(
      `this renewal succeeded; for another certificate run: everleaf renewal run ${job.endpoint_id}`,
      'status',
    );
  if (status === 'ROLLED_BACK') return 'nothing';
  if (status !== 'FAILED') return arrows[status].includes('FAILED') ? 'fail' : 'later';
  if (restore === 'due') return 'later';
  return restore === 'failed' ? 'restore' : 'roll_back';
};

/** The job with the wish written down; an earlier wish stays. */
export const wishRollback = <P extends Progress>(job: P, rollback: { reason: string; by: string }): P => ({
  ...job,
  rollback: job.rollback ?? rollback,
  next_try_at: undefined,
  ...(job.status === 'FAILED' && job.restore === 'failed' ? { restore: 'due' as const } : {}),
});
