/** RestorePrevious: has the agent put back what was served before; its answer ends the step. */
import type { Author } from '../audit/stamp.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { saveJob } from './save-job.ts';
import { afterFailure, restored } from './status.ts';
import { readStep, type WaitingStepInput } from './step.ts';
import { withoutTask, withTask } from './task.ts';
import type { WaitingWorld } from './world.ts';

/** Where there was nothing before, nothing is taken away. @throws Conflict where another execution took over; NotFound */
export const restorePrevious = (world: WaitingWorld, author: Author, step: WaitingStepInput): Promise<void> =>
  untilSettled<void>(world, async () => {
    const job = await readStep(world, step);
    if (job.status !== 'FAILED' || afterFailure(job) !== 'restore') return world.tokens.succeed(step.task_token);
    if (job.previous_fingerprint === undefined || job.previous_fingerprint === null) {
      const next = withoutTask(restored(job, 'nothing'));
      const saved = await saveJob(world, author, job, { next, action: 'nothing_to_restore' });
      return saved === 'again' ? 'again' : 'more';
    }
    const expires_at = world.now() + job.policy.timeouts_seconds.deploy * 1_000;
    const next =
      job.task?.kind === 'restore'
        ? { ...job, task: { ...job.task, expires_at }, task_token: step.task_token }
        : withTask(job, { kind: 'restore', expires_at }, step.task_token);
    return (await saveJob(world, author, job, { next, action: 'restoring_started' })) === 'again' ? 'again' : undefined;
  });
