/** The execution of the state machine that takes a renewal from step to step: one at a time, started again when it died. */
import { type Author, nextVersion, versionAttribute } from '../audit/stamp.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { getJob } from './find-job.ts';
import type { Job } from './job.ts';
import { saveJob } from './save-job.ts';
import { isLive } from './status.ts';
import type { StartingWorld } from './world.ts';

/** An agent that has not been heard of for so many of its own pauses is gone, and not before `shortest` (seconds). */
const pauses = 3;
const shortest = 120;

interface Wait {
  /** Seconds. */
  readonly timeout: number;
  readonly heartbeat: number;
}

/** How long each step waits. Only what the state machine must know itself stands in its input: the rest is in the row. */
export const executionInput = ({ job_id, policy, poll_after_seconds }: Job) => {
  const { csr, deploy, validate } = policy.timeouts_seconds;
  const wait = (timeout: number): Wait => ({
    timeout,
    // Step Functions wants the shorter one to be the shorter one.
    heartbeat: Math.min(timeout - 1, Math.max(shortest, pauses * poll_after_seconds)),
  });
  return { job_id, wait: { csr: wait(csr), deploy: wait(deploy), validate: wait(validate) } };
};

/**
 * Starts the renewal's execution where there is none, and another one where it ended before the renewal did; whatever
 * the old one still does is then refused.
 */
export const keepGoing = (world: StartingWorld, author: Author, job_id: string): Promise<Job> =>
  untilSettled(world, async () => {
    const job = await getJob(world, job_id);
    if (!isLive(job)) return job;
    const { execution } = job;
    const found = await world.renewals.find(execution);
    if (found?.status === 'running') return job;
    if (found === null) {
      await world.renewals.start(execution, executionInput(job));
      return job;
    }
    // A name is used once; the version of the row that this writes is another one each time.
    const next = { ...job, execution: `${job_id}-${nextVersion(job.row[versionAttribute])}` };
    if ((await saveJob(world, author, job, { next, action: 'renewal_resumed' })) === 'again') return 'again';
    await world.renewals.start(next.execution, executionInput(next));
    return next;
  });
