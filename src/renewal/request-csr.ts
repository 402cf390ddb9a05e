/** RequestCsr: asks the endpoint's agent for a request made with a new key; the agent's answer ends the step. */
import type { Author } from '../audit/stamp.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { findEndpoint } from '../endpoint/get-endpoint.ts';
import { NotFound } from '../errors.ts';
import { clockSkew_ms } from '../lease.ts';
import type { Job } from './job.ts';
import { saveJob } from './save-job.ts';
import { afterFailure, transition } from './status.ts';
import { hasReached, outOfTurn, readStep, stopIfUnwanted, type WaitingStepInput } from './step.ts';
import { withoutTask, withTask } from './task.ts';
import type { WaitingWorld } from './world.ts';

/** The job that goes on: a failed one, once its next try is due, as PENDING. */
const begin = (job: Job, now: number): Job | null => {
  if (job.status !== 'FAILED') return null;
  const due = afterFailure(job) === 'try_again' && (job.next_try_at ?? now) <= now + clockSkew_ms;
  if (!due) throw outOfTurn(job);
  return withoutTask(transition(job, { to: 'PENDING' }, now));
};

/** The agent as the endpoint names it now: one may have taken it over since the renewal was asked for. */
const currentAgent = async (world: WaitingWorld, { endpoint_id, agent_id }: Job): Promise<string | undefined> => {
  const endpoint = await findEndpoint(world, endpoint_id);
  if (endpoint === null) throw new NotFound(`the endpoint ${endpoint_id} was deleted`, 'endpoint_id');
  return endpoint.agent_id ?? agent_id;
};

/** @throws Conflict where it is out of turn, or unwanted; NotFound */
export const requestCsr = (world: WaitingWorld, author: Author, step: WaitingStepInput): Promise<void> =>
  untilSettled(world, async () => {
    const job = await readStep(world, step);
    if (hasReached(job, 'CSR_RECEIVED')) return world.tokens.succeed(step.task_token);
    const again = begin(job, world.now());
    if (again !== null) {
      const saved = await saveJob(world, author, job, { next: again });
      return saved === 'again' ? 'again' : 'more';
    }
    if (job.status === 'CSR_REQUESTED') stopIfUnwanted(job);
    const now = world.now();
    const asking = {
      ...(job.status === 'PENDING' ? transition(job, { to: 'CSR_REQUESTED' }, now) : job),
      agent_id: await currentAgent(world, job),
    };
    if (asking.status !== 'CSR_REQUESTED') throw outOfTurn(job);
    const expires_at = now + job.policy.timeouts_seconds.csr * 1_000;
    // An execution that was started again goes on waiting for the same answer, by another token.
    const next =
      job.task?.kind === 'make_csr'
        ? { ...asking, task: { ...job.task, expires_at }, task_token: step.task_token }
        : withTask(asking, { kind: 'make_csr', expires_at }, step.task_token);
    const action = job.status === 'PENDING' ? {} : { action: 'csr_requested_again' };
    if ((await saveJob(world, author, job, { next, ...action })) === 'again') return 'again';
    if (job.status === 'PENDING') stopIfUnwanted(job);
  });
