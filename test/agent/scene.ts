/** An endpoint in service that something happens to: a node's copy, its consumer under load, a server, the agent as a process. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { belongTogether, readKey } from '../../src/cli/pair.ts';
import type { Authority } from '../cli/authority.ts';
import { type Consumer, startConsumer } from './consumer.ts';
import { askCsr, type Certified, certify, type Job, newJob } from './job.ts';
import { openNode, type TestNode, text } from './node.ts';
import { type Peer, startPeer } from './peer.ts';
import { buildProgram, type Program, type Started, type StartOptions, startProgram } from './program.ts';
import { until } from './until.ts';

export interface Stage {
  readonly ca: Authority;
  readonly program: Program;
  readonly job: Job;
  /** The certificate of the job, and what is served before it. */
  readonly certified: Certified;
  readonly before: string;
  /** A node with a certificate in service and a key for the job; the same node after the job's deployment. */
  readonly ready: TestNode;
  readonly deployed: TestNode;
  readonly close: () => Promise<void>;
}

/** Once for a file of tests. */
export const openStage = async (ca: Authority): Promise<Stage> => {
  const program = await buildProgram();
  const peer = await startPeer(ca);
  const ready = await openNode(ca, peer.url);
  const before = await ready.deployed();
  const job = newJob();
  let agent = await ready.start();
  const certified = await certify(ca, await askCsr(peer, agent, job));
  await agent.stop();
  const deployed = await openNode(ca, peer.url);
  for (const folder of ['state', 'web']) execFileSync('cp', ['-a', ready.file(folder), deployed.directory]);
  agent = await deployed.start();
  peer.hand({ ...job, kind: 'deploy', task_id: 'earlier', ...certified });
  agent.reread();
  await until('the job is deployed', () => peer.answers.has('earlier'));
  await agent.stop();
  await peer.close();
  return {
    ...{ ca, program, job, certified, before, ready, deployed },
    close: async () => {
      await ready.close();
      await deployed.close();
      program.remove();
    },
  };
};

export interface Scene {
  readonly peer: Peer;
  readonly consumer: Consumer;
  readonly file: (...parts: string[]) => string;
  readonly start: (options?: StartOptions) => Started;
  /** Whether a consumer that starts now would read a certificate with its key. */
  readonly matching: () => boolean;
  /** The fingerprint that `current` leads to. */
  readonly current: () => string;
  /** Everything that was served since the scene opened. @throws when a connection failed */
  readonly seen: () => Promise<string[]>;
  /** Nothing that an agent leaves behind when it is cut off is there any more. */
  readonly isTidy: () => void;
  readonly close: () => Promise<void>;
}

/** `settings` are the endpoint's, beside its folder; `file` names one in the node's. */
export const openScene = async (
  stage: Stage,
  from: TestNode,
  settings: (file: (name: string) => string) => object,
): Promise<Scene> => {
  const folder = mkdtempSync(join(tmpdir(), 'everleaf-scene-'));
  const file = (...parts: string[]) => join(folder, ...parts);
  execFileSync('cp', ['-a', `${from.directory}/.`, folder]);
  const peer = await startPeer(stage.ca);
  const web = { directory: file('web'), ...settings(file) };
  const [cacert, client_cert, client_key] = [file('ca.pem'), file('cert.pem'), file('key.pem')];
  const config = { server: peer.url, cacert, client_cert, client_key, state_dir: file('state'), endpoints: { web } };
  writeFileSync(file('agent.json'), JSON.stringify(config));
  const consumer = await startConsumer(file('web'), file('pid'));
  const seen = new Set<string>();
  let looking = true;
  const load = (async () => {
    while (looking) {
      seen.add(await consumer.served());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  // Whoever asks what was seen is told.
  load.catch(() => undefined);
  const agents: Started[] = [];
  const stopLooking = () => {
    looking = false;
    return load;
  };
  return {
    peer,
    consumer,
    file,
    start: (options) => {
      const agent = startProgram(stage.program, ['agent', 'run', `--config=${file('agent.json')}`], options);
      agents.push(agent);
      return agent;
    },
    matching: () => {
      const key = readKey(text(file('web', 'current', 'key.pem')));
      return key !== null && belongTogether(text(file('web', 'current', 'fullchain.pem')), key);
    },
    current: () => readlinkSync(file('web', 'current')).replace('versions/', ''),
    seen: async () => {
      await stopLooking();
      return [...seen];
    },
    isTidy: () => {
      expect(readdirSync(file('state', 'journal'))).toEqual([]);
      for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) expect(name).not.toMatch(/\.tmp$/);
    },
    close: async () => {
      await stopLooking().catch(() => undefined);
      for (const { child, ended } of agents) {
        child.kill('SIGKILL');
        await ended;
      }
      await consumer.stop();
      await peer.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

/** Some at a time: each waits for processes part of its time. */
export const together = async <T>(all: readonly T[], each: (one: T) => Promise<unknown>): Promise<void> => {
  const left = [...all];
  const lane = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await each(next);
  };
  await Promise.all([lane(), lane(), lane()]);
};

export const hangup = (file: (name: string) => string) => ({ signal: 'SIGHUP', pid_file: file('pid') });
