/** Why a step of the state machine failed, in words for whoever has to do something about it. */
import { z } from 'zod';
import { clean } from '../access/reason.ts';
import { parseAgent } from '../endpoint/agent.ts';
import { readRow } from '../endpoint/read-row.ts';
import { endpointKeys } from '../names.ts';
import { fromRemote } from '../remote-error.ts';
import type { World } from '../world.ts';
import type { Job } from './job.ts';

/** As the state machine catches it. */
export const caughtSchema = z.object({ Error: z.string().default(''), Cause: z.string().default('') });
export type Caught = z.infer<typeof caughtSchema>;

const causeSchema = z.object({ errorMessage: z.string() });
const longest = 1_000;

/** The message within a cause: Lambda's is JSON, Step Functions' own is a sentence. */
const messageOf = (Cause: string): string => {
  try {
    return causeSchema.safeParse(JSON.parse(Cause)).data?.errorMessage ?? Cause;
  } catch {
    return Cause;
  }
};

const timeouts = new Set(['States.Timeout', 'States.HeartbeatTimeout']);

const waitedFor = {
  make_csr: 'made no request',
  deploy: 'reported no deployment',
  restore: 'put nothing back',
  validate: 'did not look at it',
};

/** What to check when nobody answered. */
const unanswered = async (world: World, { agent_id, endpoint_id, fleet_id, task }: Job): Promise<string> => {
  if (task === undefined) return 'the step took too long';
  if (agent_id === undefined)
    return `no agent serves ${endpoint_id}: enrol one into the fleet ${fleet_id}, and name the endpoint in its file`;
  const row = await readRow(world, endpointKeys.agent(agent_id));
  const at = row && parseAgent(row).last_heartbeat_at;
  const heard = at === undefined ? 'it was never heard of' : `it was last heard of at ${new Date(at).toISOString()}`;
  return `the agent ${agent_id} ${waitedFor[task.kind]} in time; ${heard}: check that it runs, its log, and that it reaches this API`;
};

export interface Failure {
  readonly reason: string;
  /** Whether trying again may help. */
  readonly passing: boolean;
}

/** Of what is wrong with a request, or not there, a second try changes nothing. */
const lasting = new Set(['InvalidInput', 'NotFound']);

export const explain = async (world: World, job: Job, { Error: name, Cause }: Caught): Promise<Failure> => {
  if (timeouts.has(name)) return { reason: await unanswered(world, job), passing: true };
  const { message } = fromRemote(name, messageOf(Cause));
  return { reason: clean(message, longest) || name || 'failed without a reason', passing: !lasting.has(name) };
};
