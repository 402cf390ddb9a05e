/** Takes an agent's answer to a task, once; the same answer again is the same to the renewal, and another one is refused. */
import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { sha256 } from '../authority/public-key.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { Conflict, InvalidInput, NotAllowed, NotFound } from '../errors.ts';
import type { World } from '../world.ts';
import { parseAnswer } from './answer.ts';
import { findJob } from './find-job.ts';
import type { Job } from './job.ts';
import { ownAgent } from './own-agent.ts';
import { saveJob } from './save-job.ts';
import { type Taken, takeAnswer } from './take-answer.ts';
import { readTaskId, withAnswer } from './task.ts';
import type { WaitingWorld } from './world.ts';

export interface Answering {
  readonly caller: Caller;
  readonly task_id: string;
  /** As it came. */
  readonly body: unknown;
}

export interface Accepted {
  readonly task_id: string;
  readonly accepted: true;
}

/** @throws NotFound for what nobody was asked; NotAllowed for what another agent was */
const askedOf = async (world: World, { caller, task_id }: Answering): Promise<Job> => {
  const named = readTaskId(task_id);
  const job = named === null ? null : await findJob(world, named.job_id);
  if (named === null || job === null || named.number > job.tasks)
    throw new NotFound(`there is no task ${task_id.slice(0, 128)}`, 'task_id');
  if (job.agent_id !== caller.principal_id) throw new NotAllowed('the task is another agent’s', 'task_id');
  return job;
};

/** The state machine goes on, or fails. */
const wake = async ({ tokens }: WaitingWorld, task_token: string | undefined, failure: Taken['failure']) => {
  if (task_token === undefined) return;
  if (failure === undefined) await tokens.succeed(task_token);
  else await tokens.fail(task_token, failure);
};

/** A state machine that was not woken, since whoever took the answer died, is woken by the same answer again. */
const takenBefore = async (world: WaitingWorld, job: Job, task_id: string, body: unknown): Promise<void> => {
  const { task, task_token, status, reason } = job;
  if (task?.task_id !== task_id) return;
  const failed = status === 'FAILED' && task.kind !== 'restore';
  const observed =
    task.kind === 'validate' && !failed ? await takeAnswer(world, job, parseAnswer('validate', body)) : null;
  await wake(world, task_token, failed ? { error: 'Conflict', cause: reason ?? status } : observed?.failure);
};

/** @throws NotFound, NotAllowed; Conflict for another answer, and for what is not waited for any more; InvalidInput */
export const answerTask = async (world: WaitingWorld, answering: Answering): Promise<Accepted> => {
  const { caller, task_id, body } = answering;
  await ownAgent(world, caller);
  const hash = sha256(Buffer.from(JSON.stringify(body)));
  return untilSettled<Accepted>(world, async () => {
    const job = await askedOf(world, answering);
    const before = job.answers.find((one) => one.task_id === task_id);
    if (before !== undefined) {
      if (before.sha256 !== hash) throw new Conflict('the task was answered otherwise before', 'task_id');
      await takenBefore(world, job, task_id, body);
      if (before.refused !== undefined) throw new InvalidInput('csr', before.refused);
      return { task_id, accepted: true };
    }
    const { task, task_token, status } = job;
    if (task?.task_id !== task_id) throw new Conflict(`the renewal is ${status}, and waits for it no more`, 'task_id');
    if (task.expires_at <= world.now()) throw new Conflict('the task’s time is over', 'task_id');
    const { next, steps, action, refused, failure } = await takeAnswer(world, job, parseAnswer(task.kind, body));
    const answered = { task_id, sha256: hash, at: world.now(), ...(refused === undefined ? {} : { refused }) };
    const saved = await saveJob(world, authorOf(caller), job, {
      next: withAnswer(next, answered),
      steps: [...steps, callerIsActive(world, caller), ...callerStands(world, caller)],
      ...(action === undefined ? {} : { action }),
    });
    if (saved === 'again') return 'again';
    await wake(world, task_token, failure);
    if (refused !== undefined) throw new InvalidInput('csr', refused);
    return { task_id, accepted: true };
  });
};
