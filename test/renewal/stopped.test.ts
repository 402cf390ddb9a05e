/** A renewal whose machine, or whoever works for it, dies anywhere: run again, it ends as if nothing had been, with one certificate. */
import { DeleteCommand, PutCommand, TransactWriteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRow } from '../../src/endpoint/read-row.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';
import type { TestNode } from './node.ts';

const writing = [PutCommand, UpdateCommand, DeleteCommand, TransactWriteCommand];

describeWithEmulator('a renewal that is cut off', (emulator) => {
  let d: TestDeployment;
  let node: TestNode;
  let endpoint_id = '';
  let count = 0;

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    await d.makeFleet('web');
  });
  afterAll(() => d.close());

  const begin = async () => {
    count += 1;
    endpoint_id = `web-${count}`;
    node = await d.node('web', [endpoint_id]);
    await d.endpoint(endpoint_id, node.port);
    await node.heartbeat();
  };
  /** Turns that may be cut off, as what they talk to may be; until two of them changed nothing. */
  const turns = async () => {
    let before = '';
    for (let idle = 0; idle < 2; ) {
      await d.machine.goOn();
      const worked = await node.turn().catch(() => []);
      const now = JSON.stringify([worked.map(({ task_id }) => task_id), d.machine.calls.length]);
      idle = now === before ? idle + 1 : 0;
      // What was answered, and not heard, is asked for once more after a while.
      if (idle === 1) d.pass(30_000);
      before = now;
    }
  };
  const jobsOf = async () => (await d.allJobs()).filter((row) => row.endpoint_id === endpoint_id);

  /** What a user, or the next schedule, does; then nothing dies any more. */
  const runAgain = async () => {
    const job_id = await d.run(endpoint_id);
    await turns();
    return d.job(job_id);
  };
  const expectOneCertificate = async (job_id: string) => {
    const job = await d.job(job_id);
    expect(job.status, job.reason).toBe('SUCCEEDED');
    expect(job.history.flatMap(({ reason }) => reason ?? [])).toEqual([]);
    expect(await jobsOf()).toHaveLength(1);
    expect(new Set(node.served)).toEqual(new Set([job.fingerprint]));
    const row = await readRow(d.world, endpoint_id);
    expect(row).toMatchObject({ current: { fingerprint: job.fingerprint, serial_number: job.serial_number } });
    expect(row).not.toHaveProperty('live_job');
  };

  const steps = [
    'RequestCsr',
    'StartChallenge',
    'IssueCertificate',
    'DeployCertificate',
    'ValidateEndpoint',
    'FinishRenewal',
  ];
  describe.each(['before', 'after'] as const)('%s the machine calls', (when) => {
    it.each(steps.map((step, index) => [step, index + 1] as const))('%s', async (step, call) => {
      await begin();
      const from = d.machine.calls.length;
      d.machine.dieAt({ call: from + call, when });
      const job_id = await d.run(endpoint_id);
      await turns();
      expect(d.machine.calls.slice(from).at(-1)).toBe(step);
      expect(d.machine.executions.get(job_id)?.status).toBe('failed');
      const over = (await d.job(job_id)).status === 'SUCCEEDED';
      if (over) {
        // Nothing is left to do but what the dead machine would have done: nothing.
        expect(step).toBe('FinishRenewal');
        expect(await readRow(d.world, endpoint_id)).not.toHaveProperty('live_job');
        return;
      }
      await runAgain();
      await expectOneCertificate(job_id);
    });
  });

  it('again and again, after every step', async () => {
    await begin();
    const job_id = await d.run(endpoint_id);
    for (const _ of steps) {
      d.machine.dieAt({ call: d.machine.calls.length + 2, when: 'after' });
      await turns();
      d.machine.kill();
      if ((await d.job(job_id)).status === 'SUCCEEDED') break;
      await d.run(endpoint_id);
    }
    await turns();
    const job = await d.job(job_id);
    expect([job.status, (await jobsOf()).length]).toEqual(['SUCCEEDED', 1]);
    expect(new Set(node.served)).toEqual(new Set([job.fingerprint]));
  });

  /** The n-th write from now on, by whomever, is the last thing that happens; it landed, or it did not. */
  const dyingAt = (n: number, landed: boolean, withMachine: boolean) => {
    const usual = d.world;
    let writes = 0;
    const send: typeof usual.documents.send = async (command: unknown) => {
      const counts = writing.some((kind) => command instanceof kind);
      if (counts) writes += 1;
      if (!counts || writes !== n) return Reflect.apply(usual.documents.send, usual.documents, [command]);
      if (landed) await Reflect.apply(usual.documents.send, usual.documents, [command]);
      if (withMachine) d.machine.kill();
      throw Object.assign(new Error('cut off'), { name: 'Lambda.Unknown' });
    };
    const documents = new Proxy(usual.documents, {
      get: (target, name) => (name === 'send' ? send : Reflect.get(target, name)),
    });
    d.world = { ...usual, documents };
    return {
      reached: () => writes >= n,
      end: () => {
        d.world = usual;
      },
    };
  };

  describe.each([
    ['that landed', true],
    ['that did not land', false],
  ])('at any write %s', (_which, landed) => {
    it.each([
      ['the machine with it', true],
      ['the machine lives on', false],
    ])('%s', async (_who, withMachine) => {
      let reached = true;
      let n = 0;
      while (reached) {
        n += 1;
        await begin();
        const cut = dyingAt(n, landed, withMachine);
        await d.run(endpoint_id).catch(() => null);
        await turns();
        reached = cut.reached();
        cut.end();
        const [first] = await jobsOf();
        if (first?.status !== 'SUCCEEDED') {
          // What the machine retries, it retries by itself.
          while (!withMachine && first !== undefined && d.passToNext(String(first.job_id))) await turns();
          if ((await jobsOf())[0]?.status !== 'SUCCEEDED') await runAgain();
        }
        const [job] = await jobsOf();
        await expectOneCertificate(String(job?.job_id));
      }
      // Each arrow is a write; the transaction that begins it, heartbeats and tokens come on top.
      expect(n).toBeGreaterThan(9);
    });
  });
});
