/** A disk that is full, from whichever write on: the endpoint keeps a matching pair, and what is answered is what is served. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthority } from '../cli/authority.ts';
import { text } from './node.ts';
import { hangup, openScene, openStage, type Scene, type Stage, together } from './scene.ts';
import { until } from './until.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage(await makeAuthority('CN=CA'));
});
afterAll(() => stage.close());

const open = async (settings: (file: (name: string) => string) => object = (file) => ({ reload: hangup(file) })) => {
  const scene = await openScene(stage, stage.ready, settings);
  scene.peer.hand({ ...stage.job, kind: 'deploy', task_id: 'task', ...stage.certified });
  return scene;
};
const answerOf = ({ peer }: Scene) => peer.answers.get('task')?.at(-1);

/** What was answered is what is served, and what a consumer that starts now would read. */
const isTrue = async (scene: Scene, answer: unknown) => {
  const { status } = answer as { status: string };
  const expected = status === 'done' ? stage.certified.fingerprint : stage.before;
  await until(`${status} is what is served`, async () => (await scene.consumer.served()) === expected);
  expect([scene.current(), scene.matching()]).toEqual([expected, true]);
};

describe('a file that grows no further than', () => {
  // The kernel refuses what is beyond (RLIMIT_FSIZE): nothing at all; the key alone fits; all but the whole chain fits.
  it.each([0, 100, 300, 800])(
    '%d bytes fails the deployment with a reason, and leaves what was there',
    async (bytes) => {
      const scene = await open();
      try {
        const agent = scene.start({ wrapper: ['prlimit', `--fsize=${bytes}`] });
        const answer = await until(
          () => `an answer\n${agent.said()}`,
          () => answerOf(scene),
        );
        expect(answer).toMatchObject({ status: 'failed', reason: expect.stringMatching(/too large|disk/) });
        await isTrue(scene, answer);
        expect(await scene.seen()).toEqual([stage.before]);
      } finally {
        await scene.close();
      }
    },
  );
});

describe('a disk that is full', () => {
  const nodeArgs = ['--import', new URL('killing.mjs', import.meta.url).href];
  it.each([
    ['a deployment', (file: (name: string) => string) => ({ reload: hangup(file) })],
    [
      'a deployment whose reload fails',
      (file: (name: string) => string) => ({
        reload: ['/bin/sh', '-c', `kill -HUP $(cat '${file('pid')}'); test $EVERLEAF_FINGERPRINT = ${stage.before}`],
      }),
    ],
  ])(
    'from any step of %s on ends it with one or the other, and with what was answered once there is room',
    async (_, settings) => {
      const whole = await open(settings);
      const agent = whole.start({ nodeArgs, env: { TEST_KILL_TRACE: whole.file('trace') } });
      await until('an answer', () => answerOf(whole));
      agent.child.kill('SIGTERM');
      await agent.ended;
      const steps = text(whole.file('trace')).trim().split('\n');
      await whole.close();
      const moments = steps.flatMap((step, index) =>
        /^(?:openSync|writeFileSync|symlinkSync|mkdirSync)$/.test(step) ? [index + 1] : [],
      );
      expect(moments.length).toBeGreaterThan(12);
      await together(moments, async (at) => {
        const scene = await open(settings);
        try {
          const full = scene.start({ nodeArgs, env: { TEST_FULL_AT: String(at) } });
          await until(
            () => `an answer, or why not\n${full.said()}`,
            () => answerOf(scene) ?? /stuck/.test(full.said()),
          );
          const answered = answerOf(scene);
          expect(scene.matching()).toBe(true);
          if (answered !== undefined) await isTrue(scene, answered);
          full.child.kill('SIGTERM');
          expect(await full.ended, full.said()).toBe(0);
          const roomy = scene.start();
          const final = await until(
            () => `an answer\n${roomy.said()}`,
            () => answerOf(scene),
          );
          await until('it has settled', () => roomy.said().includes('agent runs'));
          roomy.child.kill('SIGTERM');
          await roomy.ended;
          if (answered !== undefined) expect(final).toEqual(answered);
          await isTrue(scene, final);
          scene.isTidy();
          for (const one of await scene.seen()) expect([stage.before, stage.certified.fingerprint]).toContain(one);
        } catch (error) {
          throw new Error(`full from ${at} on of ${steps.join(', ')}`, { cause: error });
        } finally {
          await scene.close();
        }
      });
    },
    300_000,
  );
});
