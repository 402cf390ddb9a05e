/** StartChallenge: proves to the CA whose the names are. The private CA asks for no proof. */
import type { Author } from '../audit/stamp.ts';
import { untilSettled } from '../aws/until-settled.ts';
import type { World } from '../world.ts';
import { saveJob } from './save-job.ts';
import { transition } from './status.ts';
import { hasReached, outOfTurn, readStep, type StepInput, stopIfUnwanted } from './step.ts';
import { withoutTask } from './task.ts';

/** @throws Conflict where it is out of turn, or unwanted; NotFound */
export const startChallenge = (world: World, author: Author, step: StepInput): Promise<void> =>
  untilSettled<void>(world, async () => {
    const job = await readStep(world, step);
    if (hasReached(job, 'CHALLENGE_COMPLETE')) return;
    if (!hasReached(job, 'CSR_RECEIVED')) throw outOfTurn(job);
    stopIfUnwanted(job);
    const to = job.status === 'CSR_RECEIVED' ? 'CHALLENGE_PENDING' : 'CHALLENGE_COMPLETE';
    const next = withoutTask(transition(job, { to }, world.now()));
    return (await saveJob(world, author, job, { next })) === 'again' ? 'again' : 'more';
  });
