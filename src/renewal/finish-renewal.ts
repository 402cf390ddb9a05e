/** FinishRenewal: the new certificate is the endpoint's own, and the endpoint is free for its next renewal. */
import type { Author } from '../audit/stamp.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { currentAttributes } from '../endpoint/current.ts';
import type { World } from '../world.ts';
import type { Job } from './job.ts';
import { saveJob } from './save-job.ts';
import { transition } from './status.ts';
import { outOfTurn, readStep, type StepInput, stopIfUnwanted } from './step.ts';
import { withoutTask } from './task.ts';

const current = ({ fingerprint, serial_number, not_before, not_after, issuer }: Job, now: number) =>
  fingerprint === undefined ||
  serial_number === undefined ||
  not_before === undefined ||
  not_after === undefined ||
  issuer === undefined
    ? {}
    : { ...currentAttributes({ fingerprint, serial_number, not_before, not_after, issuer }), updated_at: now };

/** @throws Conflict where it is out of turn, or unwanted; NotFound */
export const finishRenewal = (world: World, author: Author, step: StepInput): Promise<Job> =>
  untilSettled<Job>(world, async () => {
    const job = await readStep(world, step);
    if (job.status === 'SUCCEEDED') return job;
    if (job.status !== 'VALIDATING') throw outOfTurn(job);
    stopIfUnwanted(job);
    const now = world.now();
    const next = withoutTask(transition(job, { to: 'SUCCEEDED' }, now));
    const saved = await saveJob(world, author, job, { next, endpoint: current(next, now) });
    return saved === 'again' ? 'again' : next;
  });
