/**
 * The agent killed by SIGKILL right before each thing that it does to disk or to others, and within each write: what a
 * consumer finds is always a matching pair, and the agent that is started again ends where it should.
 */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthority } from '../cli/authority.ts';
import { type TestNode, text } from './node.ts';
import type { Content } from './peer.ts';
import { hangup, openScene, openStage, type Stage, together } from './scene.ts';
import { until } from './until.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage(await makeAuthority('CN=CA'));
});
afterAll(() => stage.close());

interface Scenario {
  readonly from: () => TestNode;
  readonly task: () => Content;
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
  const scene = await openScene(stage, scenario.from(), scenario.settings);
  const { peer, consumer, file } = scene;
  const first = await consumer.served();
  const nodeArgs = ['--import', new URL('killing.mjs', import.meta.url).href];
  try {
    peer.hand({ ...stage.job, task_id: 'task', ...scenario.task() });
    if (death !== null) {
      const env = { TEST_KILL_AT: String(death.at), TEST_KILL_TORN: death.torn ? '1' : '0' };
      const killed = scene.start({ nodeArgs, env });
      const late = new Promise((resolve) => setTimeout(resolve, 15_000, 'still runs'));
      expect(await Promise.race([killed.ended, late]), killed.said()).toBe('SIGKILL');
      expect(scene.matching(), 'what a consumer that starts now would read').toBe(true);
    }
    const agent = scene.start(death === null ? { nodeArgs, env: { TEST_KILL_TRACE: file('trace') } } : {});
    await until(
      () => `an answer\n${agent.said()}`,
      () => peer.answers.has('task') && peer.tasks.length === 0,
    );
    await until('what should be served is', async () => (await consumer.served()) === scenario.serves());
    agent.child.kill('SIGTERM');
    expect(await agent.ended, agent.said()).toBe(0);
    for (const answer of peer.answers.get('task') ?? []) expect(answer).toMatchObject(scenario.answer());
    expect([scene.current(), scene.matching()]).toEqual([scenario.serves(), true]);
    scene.isTidy();
    for (const one of await scene.seen()) expect([first, stage.before, stage.certified.fingerprint]).toContain(one);
    return existsSync(file('trace')) ? text(file('trace')).trim().split('\n') : [];
  } finally {
    await scene.close();
  }
};

const deploy = () => ({ kind: 'deploy', ...stage.certified });

const scenarios: Record<string, Scenario> = {
  'a deployment': {
    from: () => stage.ready,
    task: deploy,
    settings: (file) => ({ check: ['true'], reload: hangup(file) }),
    answer: () => ({
      status: 'done',
      fingerprint: stage.certified.fingerprint,
      previous_fingerprint: stage.before,
    }),
    serves: () => stage.certified.fingerprint,
  },
  'a deployment whose check fails': {
    from: () => stage.ready,
    task: deploy,
    settings: (file) => ({ check: ['false'], reload: hangup(file) }),
    answer: () => ({ status: 'failed' }),
    serves: () => stage.before,
  },
  'a deployment whose reload fails': {
    from: () => stage.ready,
    task: deploy,
    settings: (file) => ({
      // The consumer takes it up all the same.
      reload: ['/bin/sh', '-c', `kill -HUP $(cat '${file('pid')}'); test $EVERLEAF_FINGERPRINT = ${stage.before}`],
    }),
    answer: () => ({ status: 'failed' }),
    serves: () => stage.before,
  },
  'a restoration': {
    from: () => stage.deployed,
    task: () => ({ kind: 'restore', fingerprint: stage.certified.fingerprint, previous_fingerprint: stage.before }),
    settings: (file) => ({ reload: hangup(file) }),
    answer: () => ({ status: 'done', fingerprint: stage.before }),
    serves: () => stage.before,
  },
  'making a request': {
    from: () => stage.ready,
    task: () => ({ kind: 'make_csr', job_id: 'job-of-its-own', names: ['web.test'], key_type: 'ec-p256' }),
    settings: (file) => ({ reload: hangup(file) }),
    answer: () => ({ status: 'done' }),
    serves: () => stage.before,
  },
};

const full = process.env.EVERLEAF_TEST_FULL === '1';
/** What the scenarios did that ran before: where they did the same, the agent was killed already. */
const played: string[][] = [];
const sharedWith = (steps: readonly string[]): number =>
  full ? 0 : Math.max(0, ...played.map((other) => steps.findIndex((step, index) => step !== other[index])));
/** A process that is killed loses nothing that it wrote: dying before a flush is dying before what comes next. */
const matters = (step: string): boolean => full || step !== 'fsyncSync';

describe.each(Object.entries(scenarios))('the agent killed during %s', (_, scenario) => {
  it('has left a matching pair, and ends right when it is started again', async () => {
    const steps = await play(scenario, null);
    const shared = sharedWith(steps);
    // The last step is that of an agent that was told to end.
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
