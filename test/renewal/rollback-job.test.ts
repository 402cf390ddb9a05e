/** Rolling back by command, in every state that a renewal can be in: it ends ROLLED_BACK, and the old certificate is served. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRow } from '../../src/endpoint/read-row.ts';
import { type Status, statuses } from '../../src/renewal/status.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';
import type { TestNode } from './node.ts';

const reason = 'Deployment verification failed';

describeWithEmulator('rolling back', (emulator) => {
  let d: TestDeployment;
  let node: TestNode;
  let endpoint_id = '';
  let before = '';
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
    await d.run(endpoint_id);
    await d.settle(node);
    before = node.serving() ?? '';
  };

  /** Runs a renewal until its row has the state; functions of the machine that would go on are not called. */
  const until = async (status: Status): Promise<string> => {
    const usual = d.world;
    let reached = false;
    let job_id = '';
    const send: typeof usual.documents.send = async (command: unknown) => {
      if (reached) throw Object.assign(new Error('held up'), { name: 'HeldUp' });
      const answer = await Reflect.apply(usual.documents.send, usual.documents, [command]);
      if (job_id !== '') reached = (await d.jobRow(job_id))?.status === status;
      if (reached) {
        d.machine.kill();
        throw Object.assign(new Error('held up'), { name: 'HeldUp' });
      }
      return answer;
    };
    job_id = await d.run(endpoint_id);
    if (status === 'PENDING') {
      d.machine.kill();
      return job_id;
    }
    const documents = new Proxy(usual.documents, {
      get: (target, name) => (name === 'send' ? send : Reflect.get(target, name)),
    });
    d.world = { ...usual, documents };
    for (let turns = 0; turns < 20 && !reached; turns += 1) {
      await d.machine.goOn();
      await node.turn().catch(() => []);
    }
    d.world = usual;
    expect((await d.job(job_id)).status).toBe(status);
    return job_id;
  };
  const untilOver = async () => {
    for (;;) {
      await d.settle(node);
      const live = (await readRow(d.world, endpoint_id))?.live_job;
      if (live === undefined || !d.passToNext(String(live))) return;
    }
  };
  const expectRolledBack = async (job_id: string) => {
    const job = await d.job(job_id);
    expect(job).toMatchObject({ status: 'ROLLED_BACK', reason, rollback: { reason, by: 'alice' } });
    expect(job.history.at(-2)?.status).toBe('FAILED');
    expect(node.serving()).toBe(before);
    expect(await readRow(d.world, endpoint_id)).not.toHaveProperty('live_job');
    expect(await readRow(d.world, endpoint_id)).toMatchObject({ current: { fingerprint: before } });
  };

  const onTheWay = statuses.filter((status) => !['SUCCEEDED', 'FAILED', 'ROLLED_BACK'].includes(status));

  it.each(onTheWay)('%s, with its machine dead', async (status) => {
    await begin();
    const job_id = await until(status);
    await d.rollback(job_id, reason);
    await untilOver();
    await expectRolledBack(job_id);
  });

  it.each(['CSR_REQUESTED', 'DEPLOYING'] as const)('%s, while its machine waits for the agent', async (status) => {
    await begin();
    const job_id = await d.run(endpoint_id);
    await d.machine.goOn();
    while ((await d.job(job_id)).status !== status) {
      await node.turn();
      await d.machine.goOn();
    }
    if (status === 'DEPLOYING') {
      const [task] = (await node.heartbeat()).tasks;
      if (task !== undefined) await node.work(task);
      expect(node.serving()).not.toBe(before);
    }
    const rolled = await d.rollback(job_id, reason);
    expect(rolled.status).toBe(status === 'DEPLOYING' ? 'FAILED' : 'ROLLED_BACK');
    await untilOver();
    await expectRolledBack(job_id);
    expect(d.machine.executions.get(job_id)?.status).toBe('failed');
  });

  it('PENDING, before its machine took a step', async () => {
    await begin();
    const job_id = await d.run(endpoint_id);
    expect((await d.rollback(job_id, reason)).status).toBe('PENDING');
    await untilOver();
    const job = await d.job(job_id);
    expect(job.history.map(({ status }) => status)).toEqual(['PENDING', 'CSR_REQUESTED', 'FAILED', 'ROLLED_BACK']);
    await expectRolledBack(job_id);
  });

  it('VALIDATING, just when it would have succeeded', async () => {
    await begin();
    const usual = d.world;
    let job_id = '';
    d.world = {
      ...usual,
      resolve: async (host: string) => {
        await d.rollback(job_id, reason);
        return usual.resolve(host);
      },
    };
    job_id = await d.run(endpoint_id);
    await d.settle(node);
    d.world = usual;
    await untilOver();
    await expectRolledBack(job_id);
  });

  it('FAILED with a try due: it is not tried again', async () => {
    await begin();
    node.instead.set('make_csr', () => ({ status: 'failed', reason: 'the disk is full' }));
    const job_id = await d.run(endpoint_id);
    await d.settle(node);
    expect((await d.job(job_id)).next_try_at).toBeDefined();
    expect((await d.rollback(job_id, reason)).status).toBe('ROLLED_BACK');
    await expectRolledBack(job_id);
    d.passToNext(job_id);
    await d.settle(node);
    await expectRolledBack(job_id);
    expect(d.machine.executions.get(job_id)?.status).toBe('failed');
  });

  it('FAILED, while the previous certificate is being put back', async () => {
    await begin();
    node.instead.set('deploy', async (task) => {
      await node.work(task);
      return { status: 'failed', reason: 'reload failed' };
    });
    const job_id = await d.run(endpoint_id);
    while ((await d.job(job_id)).restore !== 'due') {
      await d.machine.goOn();
      await node.turn();
    }
    await d.machine.goOn();
    expect((await d.rollback(job_id, reason)).status).toBe('FAILED');
    await untilOver();
    await expectRolledBack(job_id);
  });

  it('FAILED, with its tries spent', async () => {
    await begin();
    await d.policy('once', { retries: 0 });
    await d.endpoint(endpoint_id, node.port, { policy_id: 'once' });
    node.instead.set('make_csr', () => ({ status: 'failed', reason: 'the disk is full' }));
    const job_id = await d.run(endpoint_id);
    await d.settle(node);
    expect((await d.rollback(job_id, reason)).status).toBe('ROLLED_BACK');
    await expectRolledBack(job_id);
  });

  it('ROLLED_BACK changes nothing', async () => {
    await begin();
    const job_id = await d.run(endpoint_id);
    await d.machine.goOn();
    await d.rollback(job_id, reason);
    const row = await d.jobRow(job_id);
    expect((await d.rollback(job_id, 'another')).status).toBe('ROLLED_BACK');
    expect(await d.jobRow(job_id)).toEqual(row);
  });

  it('SUCCEEDED is refused with the command that renews again', async () => {
    await begin();
    const job_id = await d.run(endpoint_id);
    await d.settle(node);
    await expect(d.rollback(job_id, reason)).rejects.toMatchObject({
      name: 'Conflict',
      field: 'status',
      message: expect.stringContaining(`everleaf renewal run ${endpoint_id}`),
    });
  });

  it('nothing is not there', async () => {
    await expect(d.rollback('0f'.repeat(16))).rejects.toMatchObject({ name: 'NotFound', field: 'job_id' });
  });

  it('is done by two at once as by one', async () => {
    await begin();
    const job_id = await d.run(endpoint_id);
    await d.machine.goOn();
    await Promise.all([d.rollback(job_id, reason), d.rollback(job_id, reason)]);
    await untilOver();
    await expectRolledBack(job_id);
  });

  describe('by somebody', () => {
    it('who was suspended meanwhile is refused, and changes nothing', async () => {
      await begin();
      const job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      await d.endpoints.people.edit('principals', 'alice', { status: 'suspended' });
      try {
        await expect(d.rollback(job_id, reason)).rejects.toMatchObject({ name: 'NotAllowed' });
      } finally {
        await d.endpoints.people.edit('principals', 'alice', { status: 'active' });
      }
      expect((await d.job(job_id)).status).toBe('CSR_REQUESTED');
    });
  });
});
