/** DeployCertificate: has the endpoint's agent put the new certificate in place; its answer ends the step. */
import type { Author } from '../audit/stamp.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { parseAgent } from '../endpoint/agent.ts';
import { parseEndpoint } from '../endpoint/endpoint.ts';
import { readRows } from '../endpoint/read-row.ts';
import { endpointKeys } from '../names.ts';
import type { Job } from './job.ts';
import { saveJob } from './save-job.ts';
import { transition } from './status.ts';
import { hasReached, outOfTurn, readStep, stopIfUnwanted, type WaitingStepInput } from './step.ts';
import { withTask } from './task.ts';
import type { WaitingWorld } from './world.ts';

/**
 * What is to come back should this fail: what the agent said last that it has there, or else what was seen served. Its
 * answer to the deployment says it for certain, but may get lost. null: nothing.
 */
const servedBefore = async (world: WaitingWorld, job: Job): Promise<string | null> => {
  const { endpoint_id, agent_id = '' } = job;
  const rows = await readRows(world, [endpoint_id, endpointKeys.agent(agent_id)]);
  const [endpoint, agent] = [rows.get(endpoint_id), rows.get(endpointKeys.agent(agent_id))];
  const said = agent && parseAgent(agent).endpoints.find((one) => one.endpoint_id === endpoint_id)?.fingerprint;
  const seen = endpoint && parseEndpoint(endpoint).current?.fingerprint;
  return [said, seen].find((one) => one !== undefined && one !== null && one !== job.fingerprint) ?? null;
};

/** @throws Conflict where it is out of turn, or unwanted; NotFound */
export const deployForJob = (world: WaitingWorld, author: Author, step: WaitingStepInput): Promise<void> =>
  untilSettled<void>(world, async () => {
    const job = await readStep(world, step);
    if (hasReached(job, 'VALIDATING')) return world.tokens.succeed(step.task_token);
    if (!hasReached(job, 'ISSUED')) throw outOfTurn(job);
    stopIfUnwanted(job);
    const now = world.now();
    const expires_at = now + job.policy.timeouts_seconds.deploy * 1_000;
    if (job.status === 'DEPLOYING' && job.task?.kind === 'deploy') {
      const next = { ...job, task: { ...job.task, expires_at }, task_token: step.task_token };
      const saved = await saveJob(world, author, job, { next, action: 'deployment_asked_again' });
      return saved === 'again' ? 'again' : undefined;
    }
    const deploying = {
      ...transition(job, { to: 'DEPLOYING' }, now),
      previous_fingerprint: job.previous_fingerprint ?? (await servedBefore(world, job)),
    };
    const next = withTask(deploying, { kind: 'deploy', expires_at }, step.task_token);
    return (await saveJob(world, author, job, { next })) === 'again' ? 'again' : undefined;
  });
