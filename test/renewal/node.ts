/** A node as the API sees it: an agent that makes keys and deploys, and the TLS server that serves what it deployed. */
import { type KeyObject, X509Certificate } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import type { Caller } from '../../src/access/caller.ts';
import { makeCsrFor, makeKeyOf } from '../../src/agent/csr.ts';
import { writeKey } from '../../src/authority/make-csr.ts';
import { answerTask } from '../../src/renewal/answer-task.ts';
import { type Heard, heartbeat } from '../../src/renewal/heartbeat.ts';
import type { Task, TaskKind } from '../../src/renewal/task.ts';
import type { WaitingWorld } from '../../src/renewal/world.ts';

interface Version {
  readonly key: string;
  readonly cert: string;
}
type Answer = Readonly<Record<string, unknown>>;
type Work = (task: Task) => Answer | Promise<Answer>;

const fingerprintOf = (pem: string): string =>
  new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();

export interface TestNode {
  readonly caller: Caller;
  readonly port: number;
  /** What it serves now; null: nothing. */
  readonly serving: () => string | null;
  /** Fingerprints of all that it has served, in order. */
  readonly served: readonly string[];
  /** Every private key that it made, PEM. */
  readonly keys: readonly string[];
  /** In place of what it does with a kind of task. */
  readonly instead: Map<TaskKind, Work>;
  readonly heartbeat: (endpoint_ids?: readonly string[]) => Promise<Heard>;
  readonly answer: (task_id: string, answer: Answer) => Promise<unknown>;
  /** What it does with a task, without a word about it. */
  readonly work: Work;
  /** One heartbeat, and every task of it done and answered. Answers of what was refused come back as errors. */
  readonly turn: () => Promise<Task[]>;
  readonly close: () => Promise<void>;
}

export const startNode = async (
  world: () => WaitingWorld,
  caller: Caller,
  endpoints: readonly string[],
): Promise<TestNode> => {
  const jobKeys = new Map<string, KeyObject>();
  const requests = new Map<string, string>();
  const versions = new Map<string, Version>();
  const keys: string[] = [];
  const served: string[] = [];
  const links: { current: string | null; previous: string | null } = { current: null, previous: null };
  const server: Server = createServer({});
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const point = (fingerprint: string) => {
    const version = versions.get(fingerprint);
    if (version === undefined) throw new Error('no such version');
    if (links.current !== fingerprint) {
      links.previous = links.current;
      links.current = fingerprint;
    }
    served.push(fingerprint);
    server.setSecureContext({ key: version.key, cert: version.cert });
  };
  const work: Work = async (task) => {
    switch (task.kind) {
      case 'make_csr': {
        const key = jobKeys.get(task.job_id) ?? (await makeKeyOf(task.key_type));
        if (!jobKeys.has(task.job_id)) keys.push(writeKey(key));
        jobKeys.set(task.job_id, key);
        // A signature is another one each time; an agent sends the very same request.
        const csr = requests.get(task.job_id) ?? makeCsrFor(key, task.names);
        requests.set(task.job_id, csr);
        return { status: 'done', csr };
      }
      case 'deploy': {
        const key = jobKeys.get(task.job_id);
        if (key === undefined) return { status: 'failed', reason: 'no key for the job' };
        versions.set(task.fingerprint, { key: writeKey(key), cert: `${task.pem}${task.chain}` });
        const before = links.current;
        point(task.fingerprint);
        const previous = before === task.fingerprint ? links.previous : before;
        return { status: 'done', fingerprint: fingerprintOf(task.pem), previous_fingerprint: previous };
      }
      case 'restore':
        if (!versions.has(task.previous_fingerprint)) return { status: 'failed', reason: 'not on this node any more' };
        point(task.previous_fingerprint);
        return { status: 'done', fingerprint: task.previous_fingerprint };
      case 'validate':
        return {
          status: 'done',
          observed: [{ address: '127.0.0.1', fingerprint: links.current, chain_complete: true }],
        };
    }
  };
  const instead = new Map<TaskKind, Work>();
  const said = () => endpoints.map((endpoint_id) => ({ endpoint_id, fingerprint: links.current, not_after: null }));
  const beat: TestNode['heartbeat'] = (ids) =>
    heartbeat(world(), {
      caller,
      heard: {
        version: 'test',
        now: world().now(),
        endpoints: ids?.map((endpoint_id) => ({ endpoint_id, fingerprint: null, not_after: null })) ?? said(),
      },
    });
  const answer: TestNode['answer'] = (task_id, body) => answerTask(world(), { caller, task_id, body });
  return {
    caller,
    port: (server.address() as AddressInfo).port,
    serving: () => links.current,
    served,
    keys,
    instead,
    heartbeat: beat,
    answer,
    work,
    turn: async () => {
      const { tasks } = await beat();
      for (const task of tasks) await answer(task.task_id, await (instead.get(task.kind) ?? work)(task));
      return [...tasks];
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
};
