/**
 * The agent killed by SIGKILL right before each thing that it does to disk or to others, and within each write: what a
 * consumer finds is always a matching pair, and the agent that is started again ends where it should.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { belongTogether, readKey } from '../../src/cli/pair.ts';
import { type Authority, makeAuthority } from '../cli/authority.ts';
import { startConsumer } from './consumer.ts';
import { askCsr, type Certified, certify, newJob } from './job.ts';
import { openNode, type TestNode, text } from './node.ts';
import { type Content, type Peer, startPeer } from './peer.ts';
import { buildProgram, type Program, startProgram } from './program.ts';
import { until } from './until.ts';

let ca: Authority;
let program: Program;
/** A node as it stands before each of the deaths, with a certificate in service and keys for a job. */
let template: TestNode;
let before: string;
const job = newJob();
let certified: Certified;
/** The same, after the job's deployment. */
let after: TestNode;
const everything: string[] = [];

beforeAll(async () => {
  ca = await makeAuthority('CN=CA');
  program = await buildProgram();
  const peer = await startPeer(ca);
  template = await openNode(ca, peer.url);
  before = await template.deployed();
  let agent = await template.start();
  certified = await certify(ca, await askCsr(peer, agent, job));
  await agent.stop();
  after = await openNode(ca, peer.url);
  for (const folder of ['state', 'web']) execFileSync('cp', ['-a', template.file(folder), after.directory]);
  agent = await after.start();
  peer.hand({ ...job, kind: 'deploy', task_id: 'earlier', ...certified });
  agent.reread();
  await until('the job is deployed', () => peer.answers.has('earlier'));
  await agent.stop();
  await peer.close();
});
afterAll(async () => {
  await template.close();
  await after.close();
  program.remove();
  for (const folder of everything) rmSync(folder, { recursive: true, force: true });
});

interface Scenario {
  readonly from: () => TestNode;
  readonly task: () => Content;
  /** Of the endpoint, beside its folder; `file` names one in the node's. */
  readonly settings: (file: (name: string) => string) => object;
  readonly answer: () => object;
  readonly serves: () => string;
}

interface Death {
  readonly at: number;
  readonly torn: boolean;
}

/** Plays the scenario with a death in it, then without, and looks at each moment. Answers what the agent did, step by step. */
const play = async (scenario: Scenario, death: Death | null): Promise<string[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'everleaf-killed-'));
  everything.push(folder);
  const file = (...parts: string[]) => join(folder, ...parts);
  execFileSync('cp', ['-a', `${scenario.from().directory}/.`, folder]);
  const peer: Peer = await startPeer(ca);
  const web = { directory: file('web'), ...scenario.settings(file) };
  const [cacert, client_cert, client_key] = [file('ca.pem'), file('cert.pem'), file('key.pem')];
  const config = { server: peer.url, cacert, client_cert, client_key, state_dir: file('state'), endpoints: { web } };
  writeFileSync(file('agent.json'), JSON.stringify(config));
  const consumer = await startConsumer(file('web'), file('pid'));
  const first = await consumer.served();
  const matching = () => {
    const key = readKey(text(file('web', 'current', 'key.pem')));
    return key !== null && belongTogether(text(file('web', 'current', 'fullchain.pem')), key);
  };
  /** What is served at each moment; a connection that fails is an error. */
  const seen = new Set<string>();
  let looking = true;
  const load = (async () => {
    while (looking) {
      seen.add(await consumer.served());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const args = ['agent', 'run', `--config=${file('agent.json')}`];
  const nodeArgs = ['--import', new URL('killing.mjs', import.meta.url).href];
  const env =
    death === null
      ? { TEST_KILL_TRACE: file('trace') }
      : { TEST_KILL_AT: String(death.at), TEST_KILL_TORN: death.torn ? '1' : '0' };
  try {
    peer.hand({ ...job, task_id: 'task', ...scenario.task() });
    if (death !== null) {
      const killed = startProgram(program, args, { nodeArgs, env });
      const end = await Promise.race([
        killed.ended,
        new Promise((resolve) => setTimeout(resolve, 15_000, 'still runs')),
      ]);
      killed.child.kill('SIGKILL');
      expect(end, killed.said()).toBe('SIGKILL');
      expect(matching(), 'what a consumer that starts now would read').toBe(true);
    }
    const agent = startProgram(program, args, death === null ? { nodeArgs, env } : {});
    await until(
      () => `an answer\n${agent.said()}`,
      () => peer.answers.has('task') && peer.tasks.length === 0,
    );
    await until('what should be served is', async () => (await consumer.served()) === scenario.serves());
    agent.child.kill('SIGTERM');
    expect(await agent.ended, agent.said()).toBe(0);
    for (const answer of peer.answers.get('task') ?? []) expect(answer).toMatchObject(scenario.answer());
    expect(readlinkSync(file('web', 'current'))).toBe(`versions/${scenario.serves()}`);
    expect(matching()).toBe(true);
    expect(readdirSync(file('state', 'journal'))).toEqual([]);
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) expect(name).not.toMatch(/\.tmp$/);
  } finally {
    looking = false;
    await load;
    await consumer.stop();
    await peer.close();
  }
  for (const one of seen) expect([first, before, certified.fingerprint]).toContain(one);
  const steps = existsSync(file('trace')) ? readFileSync(file('trace'), 'utf8').trim().split('\n') : [];
  rmSync(folder, { recursive: true, force: true });
  return steps;
};

/** Some at a time: each waits for processes part of its time. */
const together = async <T>(all: readonly T[], each: (one: T) => Promise<unknown>): Promise<void> => {
  const left = [...all];
  const lane = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await each(next);
  };
  await Promise.all([lane(), lane(), lane()]);
};

const hangup = (file: (name: string) => string) => ({ signal: 'SIGHUP', pid_file: file('pid') });
/** Tells the consumer, and succeeds or not by what it is told of. */
const told = (file: (name: string) => string, succeeds: () => string) => [
  '/bin/sh',
  '-c',
  `kill -HUP $(cat '${file('pid')}'); test $EVERLEAF_FINGERPRINT = ${succeeds()}`,
];

const scenarios: Record<string, Scenario> = {
  'a deployment': {
    from: () => template,
    task: () => ({ kind: 'deploy', ...certified }),
    settings: (file) => ({ check: ['true'], reload: hangup(file) }),
    answer: () => ({ status: 'done', fingerprint: certified.fingerprint, previous_fingerprint: before }),
    serves: () => certified.fingerprint,
  },
  'a deployment whose check fails': {
    from: () => template,
    task: () => ({ kind: 'deploy', ...certified }),
    settings: (file) => ({ check: ['false'], reload: hangup(file) }),
    answer: () => ({ status: 'failed' }),
    serves: () => before,
  },
  'a deployment whose reload fails': {
    from: () => template,
    task: () => ({ kind: 'deploy', ...certified }),
    settings: (file) => ({ reload: told(file, () => before) }),
    answer: () => ({ status: 'failed' }),
    serves: () => before,
  },
  'a restoration': {
    from: () => after,
    task: () => ({ kind: 'restore', fingerprint: certified.fingerprint, previous_fingerprint: before }),
    settings: (file) => ({ reload: hangup(file) }),
    answer: () => ({ status: 'done', fingerprint: before }),
    serves: () => before,
  },
  'making a request': {
    from: () => template,
    task: () => ({ kind: 'make_csr', job_id: 'job-of-its-own', names: ['web.test'], key_type: 'ec-p256' }),
    settings: (file) => ({ reload: hangup(file) }),
    answer: () => ({ status: 'done' }),
    serves: () => before,
  },
};

/** What the scenarios did that ran before: where they did the same, the agent was killed already. */
const played: string[][] = [];
const full = process.env.EVERLEAF_TEST_FULL === '1';
const sharedWith = (steps: readonly string[]): number =>
  full ? 0 : Math.max(0, ...played.map((other) => steps.findIndex((step, index) => step !== other[index])));
/** A process that is killed loses nothing that it wrote: dying before a flush is dying before what comes next. */
const matters = (step: string): boolean => full || step !== 'fsyncSync';

describe.each(Object.entries(scenarios))('the agent killed during %s', (_, scenario) => {
  it('has left a matching pair, and ends right when it is started again', async () => {
    const steps = await play(scenario, null);
    // The last step is that of an agent that was told to end.
    const shared = sharedWith(steps);
    const deaths = steps
      .slice(0, -1)
      .flatMap((step, index) =>
        index < shared || !matters(step)
          ? []
          : [{ at: index + 1, torn: false }, ...(step === 'writeFileSync' ? [{ at: index + 1, torn: true }] : [])],
      );
    played.push(steps);
    expect(deaths.length).toBeGreaterThan(5);
    await together(deaths, async (death) => {
      try {
        await play(scenario, death);
      } catch (error) {
        throw new Error(`killed at ${death.at} of ${steps.join(', ')} (torn: ${death.torn})`, { cause: error });
      }
    });
  }, 300_000);
});
