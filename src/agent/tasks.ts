/** Takes what the server hands out, has it done in the endpoint's lane, and reports. */
import { Stopped } from './deploy.ts';
import { failed, messageOf } from './failed.ts';
import { closeEntry, newestEntries } from './journal.ts';
import { perform, resume, tidy } from './perform.ts';
import { type Peer, post, refusalOf } from './post.ts';
import { type Answer, addressedSchema, type Task, taskSchema } from './protocol.ts';
import { agentsPath, type Running } from './running.ts';
import { sweepFolder } from './versions.ts';
import { backoff } from './wait.ts';

type Addressed = Pick<Task, 'task_id'> & { readonly kind: string };

/** Whether the server took the answer. Where it did not, it hands the task out again if it still wants it. */
const report = async (running: Running, peer: Peer, { task_id, kind }: Addressed, answer: Answer): Promise<boolean> => {
  const { complaints, stopping, now, random } = running;
  try {
    const reply = await post(peer, [...agentsPath, 'tasks', task_id], answer, stopping);
    if (reply.status >= 200 && reply.status <= 299) return true;
    complaints.complain(`answer to ${kind} ${task_id} not taken`, refusalOf(reply));
    if (reply.status === 429 || reply.status >= 500)
      running.holdOff = now() + backoff(1, reply.retry_after_ms, random());
  } catch (error) {
    if (!stopping.aborted) complaints.complain(`answer to ${kind} ${task_id} not sent`, messageOf(error));
  }
  return false;
};

/** null: nothing is to be said, since the outcome is not known yet, or the agent ends. */
const answerTo = async (running: Running, task: Task): Promise<Answer | null> => {
  const { config, state, log } = running;
  const { endpoint_id, job_id, kind } = task;
  const endpoint = config.endpoints.get(endpoint_id);
  if (endpoint === undefined) return failed(`this node’s file has no endpoint ${endpoint_id}`);
  try {
    return await perform(running, endpoint, task);
  } catch (error) {
    if (error instanceof Stopped) return null;
    const begun = newestEntries(state).some((entry) => entry.job_id === job_id);
    if (!begun) return failed(messageOf(error));
    log('error', `${kind} is stuck, and is tried again`, { endpoint_id, job_id, reason: messageOf(error) });
    return null;
  }
};

const work = async (running: Running, peer: Peer, task: Task): Promise<void> => {
  const { config, stopping, log } = running;
  if (stopping.aborted) return;
  const { endpoint_id, job_id, kind } = task;
  const answer = await answerTo(running, task);
  if (answer === null) return;
  const reason = answer.status === 'failed' ? answer.reason : undefined;
  log(reason === undefined ? 'info' : 'error', `${kind} ${answer.status}`, { endpoint_id, job_id, reason });
  const endpoint = config.endpoints.get(endpoint_id);
  if (stopping.aborted || !(await report(running, peer, task, answer)) || endpoint === undefined) return;
  try {
    tidy(running, endpoint, task, answer);
  } catch (error) {
    log('warning', 'old versions not removed', { endpoint_id, reason: messageOf(error) });
  }
};

/** Begins a task that was handed out, unless it is at hand already. */
export const takeTask = (running: Running, peer: Peer, raw: unknown): void => {
  const { lanes, complaints, version } = running;
  const parsed = taskSchema.safeParse(raw);
  if (parsed.success) {
    const task = parsed.data;
    lanes.put(task.endpoint_id, task.task_id, () => work(running, peer, task).finally(running.rest));
    return;
  }
  const addressed = addressedSchema.safeParse(raw).data;
  if (addressed === undefined) {
    complaints.complain('task not understood', 'it has no name');
    return;
  }
  const [issue] = parsed.error.issues;
  const reason = `this agent (${version}) cannot do ${addressed.kind}: ${issue?.path.join('.')} ${issue?.message}`;
  complaints.complain(`task ${addressed.task_id} not understood`, reason);
  lanes.put(`task ${addressed.task_id}`, addressed.task_id, async () => {
    await report(running, peer, addressed, failed(reason));
  });
};

/** Takes up what an earlier run of the agent left unfinished; of an endpoint's, only what was begun last counts. */
export const takeUp = (running: Running): void => {
  const { state, config, lanes, log } = running;
  for (const endpoint of config.endpoints.values()) sweepFolder(endpoint);
  for (const entry of newestEntries(state)) {
    const { endpoint_id, job_id, kind, task_id, directory } = entry;
    const endpoint = config.endpoints.get(endpoint_id);
    if (endpoint?.directory !== directory) {
      log('error', `${kind} not taken up: this node’s file has no such folder any more`, { endpoint_id, directory });
      closeEntry(state, job_id);
      continue;
    }
    // The task itself, handed out meanwhile, waits in the lane and is answered from memory.
    lanes.put(endpoint_id, `resume ${task_id}`, async () => {
      const answer = await resume(running, endpoint, entry);
      const reason = answer.status === 'failed' ? answer.reason : undefined;
      log('info', `${kind} taken up: ${answer.status}`, { endpoint_id, job_id, reason });
    });
  }
};
