/** A renewal as the server drives it: asks for a CSR, issues, hands out what is to be deployed. */
import { fingerprintOf } from '../../src/agent/fingerprint.ts';
import type { Authority, Wish } from '../cli/authority.ts';
import type { RunningAgent } from './node.ts';
import type { Content, Peer } from './peer.ts';
import { until } from './until.ts';

export interface Job {
  readonly job_id: string;
  readonly endpoint_id: string;
}
export interface Certified {
  readonly pem: string;
  readonly chain: string;
  readonly fingerprint: string;
}

let count = 0;
const next = (): number => {
  count += 1;
  return count;
};

/** Hands a task out, has the agent ask at once, and waits for its answer. */
export const ask = async (peer: Peer, agent: RunningAgent, task: Content): Promise<Content> => {
  const task_id = String(task.task_id ?? `task-${next()}`);
  peer.hand({ ...task, task_id });
  agent.reread();
  return until(`an answer to ${task_id} (${String(task.kind)})`, () => peer.answers.get(task_id)?.at(-1));
};

export const newJob = (endpoint_id = 'web'): Job => ({ job_id: `job-${next()}`, endpoint_id });

export const names = ['web.test', 'www.web.test'];

export const askCsr = async (peer: Peer, agent: RunningAgent, job: Job, key_type = 'ec-p256'): Promise<string> => {
  const answer = await ask(peer, agent, { ...job, kind: 'make_csr', names, key_type });
  if (answer.status !== 'done') throw new Error(`no CSR: ${String(answer.reason)}`);
  return String(answer.csr);
};

export const certify = async (ca: Authority, csr: string, wish: Wish = {}): Promise<Certified> => {
  const { pem } = await ca.certify(csr, 'CN=web.test', { names, ...wish });
  return { pem, chain: ca.pem, fingerprint: fingerprintOf(pem) ?? '' };
};

/** From CSR to the answer about the deployment. */
export const renew = async (peer: Peer, agent: RunningAgent, ca: Authority, job = newJob()) => {
  const certified = await certify(ca, await askCsr(peer, agent, job));
  const answer = await ask(peer, agent, { ...job, kind: 'deploy', ...certified });
  return { job, certified, answer };
};
