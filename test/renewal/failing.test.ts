/** Renewals that fail: what they end as, why, what is tried again, and that the certificate before is served again. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readRow } from '../../src/endpoint/read-row.ts';
import type { Status } from '../../src/renewal/status.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';
import type { TestNode } from './node.ts';

describeWithEmulator('a renewal that fails', (emulator) => {
  let d: TestDeployment;
  let node: TestNode;
  let endpoint_id = '';
  let count = 0;

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    await d.makeFleet('web');
    await d.policy('once', { retries: 0 });
    await d.policy('twice', { retries: 1 });
  });
  afterAll(() => d.close());

  const begin = async (policy_id: string, more: Record<string, unknown> = {}) => {
    count += 1;
    endpoint_id = `web-${count}`;
    node = await d.node('web', [endpoint_id]);
    await d.endpoint(endpoint_id, node.port, { policy_id, ...more });
    await node.heartbeat();
  };
  /** One that succeeded, so that there is something to put back. */
  const first = async (): Promise<string> => {
    await d.run(endpoint_id);
    await d.settle(node);
    const serving = node.serving();
    if (serving === null) throw new Error('nothing is served');
    return serving;
  };
  const states = async (job_id: string): Promise<Status[]> => (await d.job(job_id)).history.map(({ status }) => status);
  const live = async () =>
    z
      .string()
      .optional()
      .parse((await readRow(d.world, endpoint_id))?.live_job);
  /** All tries of it, however long they are apart. */
  const untilOver = async () => {
    for (let job_id: string | undefined; ; ) {
      await d.settle(node);
      job_id = await live();
      if (job_id === undefined || !d.passToNext(job_id)) return;
    }
  };

  it('before anything is deployed waits, tries again, and succeeds when it can', async () => {
    await begin('twice');
    node.instead.set('make_csr', () => ({ status: 'failed', reason: 'the disk is full' }));
    const job_id = await d.run(endpoint_id);
    await d.settle(node);
    const failed = await d.job(job_id);
    expect(failed).toMatchObject({ status: 'FAILED', attempt: 1, reason: 'the disk is full' });
    const wait = (failed.next_try_at ?? 0) - d.now();
    expect(wait).toBeGreaterThan(10_000);
    expect(wait).toBeLessThan(30_000);
    expect(await live()).toBe(job_id);
    node.instead.clear();
    await d.settle(node);
    expect((await d.job(job_id)).status).toBe('FAILED');
    expect(d.passToNext(job_id)).toBe(true);
    await d.settle(node);
    expect(await d.job(job_id)).toMatchObject({ status: 'SUCCEEDED', attempt: 2 });
    expect((await states(job_id)).slice(0, 5)).toEqual([
      'PENDING',
      'CSR_REQUESTED',
      'FAILED',
      'PENDING',
      'CSR_REQUESTED',
    ]);
  });

  it('before anything is deployed stays FAILED with its tries spent, and leaves the endpoint free', async () => {
    await begin('twice');
    node.instead.set('make_csr', () => ({ status: 'failed', reason: 'the disk is full' }));
    const job_id = await d.run(endpoint_id);
    await untilOver();
    expect(await d.job(job_id)).toMatchObject({ status: 'FAILED', attempt: 2 });
    expect(await live()).toBeUndefined();
    expect(d.machine.executions.get(job_id)).toMatchObject({ status: 'failed', error: 'the disk is full' });
    node.instead.clear();
    expect(await d.run(endpoint_id)).not.toBe(job_id);
    await d.settle(node);
    expect(node.serving()).not.toBeNull();
  });

  it('in its deployment puts the previous certificate back, tries again with the same one, and ends rolled back', async () => {
    await begin('twice');
    const before = await first();
    node.instead.set('deploy', () => ({ status: 'failed', reason: 'nginx -t: exit code 1' }));
    const signed = d.counted.signed;
    const job_id = await d.run(endpoint_id);
    await untilOver();
    expect(await d.job(job_id)).toMatchObject({
      status: 'ROLLED_BACK',
      attempt: 2,
      reason: 'nginx -t: exit code 1',
      restore: 'done',
      previous_fingerprint: before,
    });
    expect(node.serving()).toBe(before);
    expect(d.counted.signed - signed).toBe(1);
    expect(await live()).toBeUndefined();
    expect(await readRow(d.world, endpoint_id)).toMatchObject({ current: { fingerprint: before } });
    const failures = (await states(job_id)).filter((status) => status === 'FAILED');
    expect(failures).toHaveLength(2);
  });

  it('by an agent that says deployed and serves the old one, is found out by dialling', async () => {
    await begin('once');
    const before = await first();
    node.instead.set('deploy', (task) => {
      if (task.kind !== 'deploy') throw new Error('another task');
      return { status: 'done', fingerprint: task.fingerprint, previous_fingerprint: before };
    });
    const job_id = await d.run(endpoint_id);
    await untilOver();
    const job = await d.job(job_id);
    expect(job.status).toBe('ROLLED_BACK');
    expect(job.reason).toBe(`${job.fingerprint} is not served everywhere: 127.0.0.1 serves ${before}`);
    expect(await states(job_id)).toContain('VALIDATING');
    expect(node.serving()).toBe(before);
  });

  it('by an agent that deployed something else says so', async () => {
    await begin('once');
    const before = await first();
    node.instead.set('deploy', () => ({ status: 'done', fingerprint: before, previous_fingerprint: null }));
    const job_id = await d.run(endpoint_id);
    await untilOver();
    const job = await d.job(job_id);
    expect(job).toMatchObject({
      status: 'ROLLED_BACK',
      reason: `the agent deployed ${before} in place of ${job.fingerprint}`,
    });
  });

  it('at its very first deployment takes nothing away, and stays FAILED', async () => {
    await begin('once');
    node.instead.set('deploy', async (task) => {
      await node.work(task);
      return { status: 'failed', reason: 'reload failed' };
    });
    const job_id = await d.run(endpoint_id);
    await untilOver();
    const job = await d.job(job_id);
    expect(job).toMatchObject({ status: 'FAILED', restore: 'nothing', reason: 'reload failed' });
    expect(node.serving()).toBe(job.fingerprint);
    expect(await live()).toBeUndefined();
  });

  it('and whose previous certificate cannot be put back either, says both, and is put back by command later', async () => {
    await begin('twice');
    const before = await first();
    node.instead.set('deploy', async (task) => {
      await node.work(task);
      return { status: 'failed', reason: 'reload failed' };
    });
    node.instead.set('restore', () => ({ status: 'failed', reason: 'the disk is full' }));
    const job_id = await d.run(endpoint_id);
    await untilOver();
    const failed = await d.job(job_id);
    expect(failed).toMatchObject({ status: 'FAILED', restore: 'failed', attempt: 1 });
    expect(failed.reason).toBe(`reload failed; ${before} is not back: the disk is full`);
    expect(node.serving()).toBe(failed.fingerprint);
    expect(await live()).toBeUndefined();

    node.instead.clear();
    expect((await d.rollback(job_id)).status).toBe('FAILED');
    expect(await live()).toBe(job_id);
    await untilOver();
    expect(await d.job(job_id)).toMatchObject({ status: 'ROLLED_BACK', reason: 'Deployment verification failed' });
    expect(node.serving()).toBe(before);
    expect(await live()).toBeUndefined();
  });

  it('is not put back any more once a later one has succeeded', async () => {
    await begin('once');
    await first();
    node.instead.set('deploy', () => ({ status: 'failed', reason: 'reload failed' }));
    node.instead.set('restore', () => ({ status: 'failed', reason: 'the disk is full' }));
    const job_id = await d.run(endpoint_id);
    await untilOver();
    node.instead.clear();
    const later = await d.run(endpoint_id);
    await expect(d.rollback(job_id)).rejects.toMatchObject({
      name: 'Conflict',
      message: expect.stringContaining(later),
    });
    await d.settle(node);
    await expect(d.rollback(job_id)).rejects.toThrow(/has succeeded since/);
    expect((await d.job(later)).status).toBe('SUCCEEDED');
  });

  describe('for want of an answer', () => {
    it('without any agent says what to do', async () => {
      count += 1;
      endpoint_id = `web-${count}`;
      await d.endpoint(endpoint_id, 443, { policy_id: 'once' });
      const job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      d.passToNext(job_id);
      await d.machine.goOn();
      expect(await d.job(job_id)).toMatchObject({
        status: 'FAILED',
        reason: `no agent serves ${endpoint_id}: enrol one into the fleet web, and name the endpoint in its file`,
      });
      expect(await live()).toBeUndefined();
    });

    it('of an agent that is heard of no more, when that was, well before its time is over', async () => {
      await begin('once');
      const job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      const began = d.now();
      d.passToNext(job_id);
      await d.machine.goOn();
      const job = await d.job(job_id);
      expect(d.now() - began).toBeLessThan(200_000);
      expect(job.status).toBe('FAILED');
      expect(job.reason).toMatch(/made no request in time; it was last heard of at \d{4}-.*Z: check that it runs/);
    });

    it('of an agent that is there and does nothing, when its time is over', async () => {
      await begin('once');
      const job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      const began = d.now();
      while ((await d.job(job_id)).status === 'CSR_REQUESTED') {
        await node.heartbeat();
        d.pass(60_000);
        await d.machine.goOn();
      }
      expect((await d.job(job_id)).status).toBe('FAILED');
      expect((d.now() - began) / 1_000).toBeGreaterThanOrEqual(3_600);
    });

    it('in a deployment, has the previous one put back first', async () => {
      await begin('once');
      const before = await first();
      const job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      await node.turn();
      await d.machine.goOn();
      // It deploys, and its answer never comes.
      const [task] = (await node.heartbeat()).tasks;
      if (task?.kind !== 'deploy') throw new Error(`asked for ${task?.kind}`);
      await node.work(task);
      const { fingerprint } = await d.job(job_id);
      expect(node.serving()).toBe(fingerprint);
      d.passToNext(job_id);
      await d.machine.goOn();
      expect(await d.job(job_id)).toMatchObject({ status: 'FAILED', restore: 'due', previous_fingerprint: before });
      const late = await node.work(task);
      await expect(node.answer(task.task_id, late)).rejects.toMatchObject({ name: 'Conflict' });
      await untilOver();
      expect(await d.job(job_id)).toMatchObject({ status: 'ROLLED_BACK' });
      expect(node.serving()).toBe(before);
    });

    it('in putting back, stays FAILED and says so', async () => {
      await begin('once');
      const before = await first();
      node.instead.set('deploy', () => ({ status: 'failed', reason: 'reload failed' }));
      const job_id = await d.run(endpoint_id);
      for (let turns = 0; turns < 2; turns += 1) {
        await d.machine.goOn();
        await node.turn();
      }
      await d.machine.goOn();
      expect(await d.job(job_id)).toMatchObject({ status: 'FAILED', task: { kind: 'restore' } });
      d.passToNext(job_id);
      await d.machine.goOn();
      const job = await d.job(job_id);
      expect(job).toMatchObject({ status: 'FAILED', restore: 'failed' });
      expect(job.reason).toContain(`reload failed; ${before} is not back: the agent `);
      expect(await live()).toBeUndefined();
    });
  });

  describe('in issuing', () => {
    it('since an emergency began meanwhile, is tried again in the new generation', async () => {
      await begin('twice');
      const usual = d.world;
      let raised = false;
      d.world = {
        ...usual,
        sign: async (request) => {
          if (!raised) {
            raised = true;
            const { principal_id, serial_number } = node.caller;
            await d.endpoints.raiseGeneration(1, [serial_number, d.admin.serial_number], principal_id);
          }
          return usual.sign(request);
        },
      };
      try {
        const job_id = await d.run(endpoint_id);
        await d.machine.goOn();
        await node.turn();
        await d.machine.goOn();
        const failed = await d.job(job_id);
        expect(failed).toMatchObject({ status: 'FAILED', reason: 'an emergency began meanwhile; try again' });
        expect(failed.fingerprint).toBeUndefined();
        expect(failed.next_try_at).toBeDefined();
      } finally {
        d.world = usual;
        await d.endpoints.raiseGeneration(0);
      }
    });

    it('since its agent was suspended, issues nothing', async () => {
      await begin('once');
      const job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      await node.turn();
      await d.endpoints.suspend(node.caller);
      await d.machine.goOn();
      const job = await d.job(job_id);
      expect(job).toMatchObject({ status: 'FAILED', reason: `the agent ${node.caller.principal_id} is suspended` });
      expect(job.pem).toBeUndefined();
    });

    it('for a while, because the signer is busy, goes on by itself', async () => {
      await begin('once');
      const usual = d.world;
      let busy = 2;
      d.world = {
        ...usual,
        sign: async (request) => {
          busy -= 1;
          if (busy >= 0) throw Object.assign(new Error('busy'), { name: 'Unavailable' });
          return usual.sign(request);
        },
      };
      const job_id = await d.run(endpoint_id);
      await untilOver();
      d.world = usual;
      expect((await d.job(job_id)).status).toBe('SUCCEEDED');
    });

    it('orders anew where so much time went by that the signer would refuse the order', async () => {
      await begin('once');
      const usual = d.world;
      d.world = {
        ...usual,
        sign: async () => {
          d.machine.kill();
          throw new Error('cut off');
        },
      };
      const job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      await node.turn();
      await d.machine.goOn();
      const { serial_number } = await d.job(job_id);
      expect(serial_number).toBeDefined();
      d.world = usual;
      d.pass(30 * 60_000);
      await d.run(endpoint_id);
      await untilOver();
      const job = await d.job(job_id);
      expect(job.status).toBe('SUCCEEDED');
      expect(job.serial_number).not.toBe(serial_number);
    });
  });

  describe('in validation', () => {
    it('looks again until the consumer has taken the certificate up', async () => {
      await begin('once');
      const before = await first();
      let deployed = false;
      node.instead.set('deploy', (task) => {
        if (task.kind !== 'deploy') throw new Error('another task');
        deployed = true;
        return { status: 'done', fingerprint: task.fingerprint, previous_fingerprint: before };
      });
      const job_id = await d.run(endpoint_id);
      await d.settle(node);
      expect(deployed).toBe(true);
      expect(await d.job(job_id)).toMatchObject({ status: 'VALIDATING' });
      const job = await d.job(job_id);
      const { task_id = '', pem = '', chain = '', fingerprint = '' } = { task_id: '', ...job };
      await node.work({ kind: 'deploy', task_id, job_id, endpoint_id, expires_at: 0, pem, chain, fingerprint });
      d.passToNext(job_id);
      await d.settle(node);
      expect((await d.job(job_id)).status).toBe('SUCCEEDED');
    });

    it.each([
      [
        'leads to no address',
        { host: '127.0.0.1' },
        async () => Promise.reject(new Error('ENOTFOUND')),
        /leads nowhere: ENOTFOUND/,
      ],
      [
        'is a private address that nobody named',
        {},
        async () => ['127.0.0.1', '10.1.2.3'],
        /leads to 10\.1\.2\.3, which was not named/,
      ],
      ['is the cloud’s metadata', {}, async () => ['169.254.169.254'], /leads to 169\.254\.169\.254/],
      [
        'serves nothing at one of its addresses',
        {},
        async () => ['127.0.0.1', '127.0.0.2'],
        /serves no certificate at 127\.0\.0\.2: /,
      ],
    ] as const)('its host %s', async (_what, more, resolve, message) => {
      await begin('once', more);
      const before = await first();
      const usual = d.world;
      const { reachable } = usual;
      d.world = {
        ...usual,
        resolve: resolve as typeof usual.resolve,
        reachable: { ...reachable, addresses: new Set(['127.0.0.1', '127.0.0.2']) },
      };
      const job_id = await d.run(endpoint_id);
      await untilOver();
      d.world = usual;
      const job = await d.job(job_id);
      expect(job.status).toBe('ROLLED_BACK');
      expect(job.reason).toMatch(message);
      expect(node.serving()).toBe(before);
    });

    it('is the agent’s where functions have no way there, and what it saw decides', async () => {
      await begin('once', { validate_from: 'agent' });
      const before = await first();
      expect(before).toBe(node.serving());
      const seen: unknown[] = [];
      node.instead.set('validate', (task) => {
        seen.push(task);
        return {
          status: 'done',
          observed: [
            { address: '::1', fingerprint: before, chain_complete: true },
            { address: '127.0.0.1', fingerprint: node.serving(), chain_complete: false },
          ],
        };
      });
      const job_id = await d.run(endpoint_id);
      await untilOver();
      const job = await d.job(job_id);
      expect(seen[0]).toMatchObject({ host: '127.0.0.1', port: node.port, server_name: 'web.example.com' });
      expect(seen.length).toBeGreaterThan(3);
      expect(job).toMatchObject({ status: 'ROLLED_BACK' });
      expect(job.reason).toContain(`::1 serves ${before}; 127.0.0.1 serves it with an incomplete chain`);
    });
  });
});
