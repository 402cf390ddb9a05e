/** FailRenewal: writes down what failed, and decides what is next: put back, try again later, or end. */
import type { Author } from '../audit/stamp.ts';
import { untilSettled } from '../aws/until-settled.ts';
import type { World } from '../world.ts';
import { type Caught, explain } from './failure.ts';
import { getJob } from './find-job.ts';
import type { Job } from './job.ts';
import { saveJob } from './save-job.ts';
import { afterFailure, restored, transition } from './status.ts';
import { isSuperseded, type StepInput } from './step.ts';
import { failing } from './take-answer.ts';
import { withoutTask } from './task.ts';

export interface FailureInput extends StepInput {
  /** Of a step on the way; absent after restoring. */
  readonly error?: Caught | undefined;
  /** Of restoring itself. */
  readonly restore_error?: Caught | undefined;
}

export type Decision =
  | { readonly next: 'restore' }
  /** ISO 8601, as the state machine waits for it. */
  | { readonly next: 'wait'; readonly until: string }
  | { readonly next: 'end'; readonly status: Job['status']; readonly reason: string };

const ended = ({ status, reason = '' }: Job): Decision => ({ next: 'end', status, reason });

/** The job one step further on its way from a failure; null where it is there. */
const step = async (world: World, job: Job, { error, restore_error }: FailureInput): Promise<Job | null> => {
  const now = world.now();
  if (job.status === 'PENDING') return transition(job, { to: 'CSR_REQUESTED' }, now);
  if (job.status !== 'FAILED') {
    const { reason, passing } = await explain(world, job, error ?? { Error: '', Cause: '' });
    const why = job.rollback?.reason ?? reason;
    return withoutTask(passing ? failing(world, job, why) : transition(job, { to: 'FAILED', reason: why }, now));
  }
  if (job.restore === 'due' && restore_error !== undefined) {
    const { reason } = await explain(world, job, restore_error);
    const whole = `${job.reason ?? ''}; ${job.previous_fingerprint} is not back: ${reason}`;
    return withoutTask(restored(job, 'failed', whole));
  }
  if (afterFailure(job) === 'roll_back') {
    const reason = job.rollback?.reason ?? job.reason ?? '';
    return withoutTask(transition(job, { to: 'ROLLED_BACK', reason }, now));
  }
  return job.task === undefined ? null : withoutTask(job);
};

const actionOf = (job: Job, next: Job): { readonly action?: string } => {
  if (job.status !== next.status) return {};
  return { action: job.restore === next.restore ? 'task_withdrawn' : 'restoring_failed' };
};

/** An execution that another one took over from ends, and changes nothing. @throws NotFound; Conflict for a nonsensical row */
export const failRenewal = (world: World, author: Author, input: FailureInput): Promise<Decision> =>
  untilSettled<Decision>(world, async () => {
    const job = await getJob(world, input.job_id);
    if (isSuperseded(job, input)) return { next: 'end', status: job.status, reason: 'another execution took over' };
    if (job.status === 'SUCCEEDED' || job.status === 'ROLLED_BACK') return ended(job);
    const next = await step(world, job, input);
    if (next !== null) {
      const saved = await saveJob(world, author, job, { next, ...actionOf(job, next) });
      return saved === 'again' ? 'again' : 'more';
    }
    switch (afterFailure(job)) {
      case 'restore':
        return { next: 'restore' };
      case 'try_again':
        return { next: 'wait', until: new Date(job.next_try_at ?? world.now()).toISOString() };
      default:
        return ended(job);
    }
  });
