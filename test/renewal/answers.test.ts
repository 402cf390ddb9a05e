/** What agents answer: twice, late, otherwise, of another's task, and requests that are not what was asked for. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeCsrFor, makeKeyOf } from '../../src/agent/csr.ts';
import { issueCertificate } from '../../src/certificate/issue-certificate.ts';
import { readRow } from '../../src/endpoint/read-row.ts';
import { answerTask } from '../../src/renewal/answer-task.ts';
import type { Task } from '../../src/renewal/task.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';
import type { TestNode } from './node.ts';

describeWithEmulator('an answer', (emulator) => {
  let d: TestDeployment;
  let node: TestNode;
  let other: TestNode;
  let endpoint_id = '';
  let job_id = '';
  let count = 0;

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    await d.makeFleet('web');
    await d.policy('once', { retries: 0 });
    await d.policy('p384', { key_type: 'ec-p384', retries: 2 });
    other = await d.node('web', []);
  });
  afterAll(() => d.close());

  const begin = async (policy_id = 'once') => {
    count += 1;
    endpoint_id = `web-${count}`;
    node = await d.node('web', [endpoint_id]);
    await d.endpoint(endpoint_id, node.port, { policy_id });
    await node.heartbeat();
    job_id = await d.run(endpoint_id);
    await d.machine.goOn();
  };
  const asked = async (): Promise<Task> => {
    const [task] = (await node.heartbeat()).tasks;
    if (task === undefined) throw new Error('nothing is asked');
    return task;
  };

  describe('once more', () => {
    beforeEach(() => begin());

    it('is taken alike, and changes nothing', async () => {
      const task = await asked();
      const answer = await node.work(task);
      const accepted = { task_id: task.task_id, accepted: true };
      expect(await node.answer(task.task_id, answer)).toEqual(accepted);
      const row = await d.jobRow(job_id);
      expect(await node.answer(task.task_id, answer)).toEqual(accepted);
      expect(await d.jobRow(job_id)).toEqual(row);
      // And when the renewal has long gone on.
      await d.settle(node);
      expect(await node.answer(task.task_id, answer)).toEqual(accepted);
      expect((await d.job(job_id)).status).toBe('SUCCEEDED');
    });

    it('at the same time is taken once', async () => {
      const task = await asked();
      const answer = await node.work(task);
      const both = await Promise.all([node.answer(task.task_id, answer), node.answer(task.task_id, answer)]);
      expect(both[0]).toEqual(both[1]);
      expect((await d.job(job_id)).answers).toHaveLength(1);
    });

    it('and otherwise is refused', async () => {
      const task = await asked();
      await node.answer(task.task_id, await node.work(task));
      const otherwise = { status: 'failed', reason: 'changed my mind' };
      await expect(node.answer(task.task_id, otherwise)).rejects.toMatchObject({ name: 'Conflict', field: 'task_id' });
      expect((await d.job(job_id)).status).toBe('CSR_RECEIVED');
    });

    it('wakes the state machine where whoever took it died before', async () => {
      const usual = d.world;
      d.world = {
        ...usual,
        tokens: { ...usual.tokens, succeed: async () => Promise.reject(new Error('cut off')) },
      };
      const task = await asked();
      const answer = await node.work(task);
      await expect(node.answer(task.task_id, answer)).rejects.toThrow('cut off');
      d.world = usual;
      await d.machine.goOn();
      expect((await d.job(job_id)).status).toBe('CSR_RECEIVED');
      // Not at once, since it may have been heard; then again.
      expect((await node.heartbeat()).tasks).toEqual([]);
      d.pass(20_000);
      expect((await node.heartbeat()).tasks).toMatchObject([{ task_id: task.task_id }]);
      await d.settle(node);
      expect((await d.job(job_id)).status).toBe('SUCCEEDED');
    });
  });

  describe('is refused', () => {
    beforeEach(() => begin());

    it('of a task that is another agent’s', async () => {
      const { task_id } = await asked();
      const answer = { status: 'failed', reason: 'sabotage' };
      await expect(other.answer(task_id, answer)).rejects.toMatchObject({ name: 'NotAllowed' });
      expect((await other.heartbeat([endpoint_id])).tasks).toEqual([]);
      expect((await d.job(job_id)).status).toBe('CSR_REQUESTED');
      expect(await readRow(d.world, endpoint_id)).toMatchObject({ agent_id: node.caller.principal_id });
    });

    it('of whoever did not enrol', async () => {
      const { task_id } = await asked();
      const worker = await d.endpoints.enrol(`worker-${count}`, 'worker');
      const answering = (caller: typeof worker) =>
        answerTask(d.world, { caller, task_id, body: { status: 'failed', reason: 'x' } });
      await expect(answering(worker)).rejects.toMatchObject({ name: 'NotAllowed' });
      await expect(answering(d.admin)).rejects.toMatchObject({ name: 'NotAllowed' });
    });

    it('of an agent that was suspended, or whose certificate was revoked, meanwhile', async () => {
      const task = await asked();
      const answer = await node.work(task);
      await d.endpoints.suspend(node.caller);
      await expect(node.answer(task.task_id, answer)).rejects.toMatchObject({ name: 'NotAllowed' });
      await d.endpoints.people.edit('principals', node.caller.principal_id, { status: 'active' });
      await d.endpoints.people.edit('certificates', node.caller.serial_number, { revoked: true });
      await expect(node.answer(task.task_id, answer)).rejects.toMatchObject({ name: 'NotAllowed' });
      expect((await d.job(job_id)).status).toBe('CSR_REQUESTED');
    });

    it.each(['nothing', 'deadbeef-1', `${'0f'.repeat(16)}-1`, '../../etc', 'x'.repeat(256)])(
      'of %s, which nobody asked for',
      async (task_id) => {
        await expect(node.answer(task_id, { status: 'done' })).rejects.toMatchObject({
          name: 'NotFound',
          field: 'task_id',
        });
      },
    );
    it('of a task that comes later, if ever', async () => {
      await expect(node.answer(`${job_id}-2`, { status: 'done' })).rejects.toMatchObject({ name: 'NotFound' });
      await expect(node.answer(`${job_id}-0`, { status: 'done' })).rejects.toMatchObject({ name: 'NotFound' });
    });

    it('when the task’s time is over, and when the renewal is', async () => {
      const task = await asked();
      const answer = await node.work(task);
      d.pass(3_600_000);
      await expect(node.answer(task.task_id, answer)).rejects.toMatchObject({ name: 'Conflict' });
      await d.machine.goOn();
      await expect(node.answer(task.task_id, answer)).rejects.toThrow(/is FAILED/);
    });

    it.each([
      ['nothing', {}, 'status'],
      ['no request', { status: 'done' }, 'csr'],
      ['more than was asked', { status: 'done', csr: 'x', key: 'y' }, 'key'],
      ['no reason', { status: 'failed' }, 'reason'],
      ['too long a reason', { status: 'failed', reason: 'x'.repeat(1_001) }, 'reason'],
      ['another status', { status: 'perhaps' }, 'status'],
      ['the answer to another kind of task', { status: 'done', fingerprint: 'ab'.repeat(32) }, 'csr'],
    ])('that holds %s, by the field’s name, and the task stays open', async (_what, answer, field) => {
      const { task_id } = await asked();
      await expect(node.answer(task_id, answer)).rejects.toMatchObject({ name: 'InvalidInput', field });
      expect((await asked()).task_id).toBe(task_id);
    });
  });

  describe('with a request', () => {
    const answerWith = async (csr: string) => {
      const { task_id } = await asked();
      const answer = { status: 'done', csr };
      await expect(node.answer(task_id, answer)).rejects.toMatchObject({ name: 'InvalidInput', field: 'csr' });
      // Heard again, it is refused alike.
      await expect(node.answer(task_id, answer)).rejects.toMatchObject({ name: 'InvalidInput', field: 'csr' });
      await d.machine.goOn();
      return d.job(job_id);
    };

    it.each([
      ['for another name', async () => makeCsrFor(await makeKeyOf('ec-p384'), ['evil.example.com']), /subject is not/],
      [
        'for one name more',
        async () => makeCsrFor(await makeKeyOf('ec-p384'), ['web.example.com', '127.0.0.1', 'evil.example.com']),
        /subject alternative name/,
      ],
      [
        'of another type of key',
        async () => makeCsrFor(await makeKeyOf('ec-p256'), ['web.example.com', '127.0.0.1']),
        /not of type ec-p384/,
      ],
      ['that is none', async () => 'x', /malformed PEM/],
    ])('%s ends the renewal, and is not tried again', async (_what, make, message) => {
      await begin('p384');
      const job = await answerWith(await make());
      expect(job).toMatchObject({ status: 'FAILED', attempt: 1 });
      expect(job.reason).toMatch(message);
      expect(job.next_try_at).toBeUndefined();
      expect(await readRow(d.world, endpoint_id)).not.toHaveProperty('live_job');
    });

    const names = ['web.example.com', '127.0.0.1'];

    it('whose key is a principal’s is refused, and a principal may have no endpoint’s', async () => {
      const key = await makeKeyOf('ec-p256');
      await d.endpoints.register(`svc-${count}`, 'service');
      const issueTo = (csr: string) =>
        issueCertificate(d.world, { caller: d.admin, reach: 'any', principal_id: `svc-${count}`, csr });
      await issueTo(makeCsrFor(key, []));
      await begin();
      expect((await answerWith(makeCsrFor(key, names))).reason).toMatch(/belongs to another principal/);

      await d.endpoints.register(`svc-${count}`, 'service');
      await begin();
      const own = await makeKeyOf('ec-p256');
      await node.answer((await asked()).task_id, { status: 'done', csr: makeCsrFor(own, names) });
      count -= 1;
      await expect(issueTo(makeCsrFor(own, []))).rejects.toThrow(/belongs to another principal/);
      count += 1;
    });

    it('whose key is another endpoint’s is refused', async () => {
      await begin();
      const key = await makeKeyOf('ec-p256');
      await node.answer((await asked()).task_id, { status: 'done', csr: makeCsrFor(key, names) });
      await begin();
      expect((await answerWith(makeCsrFor(key, names))).reason).toMatch(/belongs to another principal/);
    });

    it('whose key is that of the endpoint’s previous certificate is refused', async () => {
      await begin();
      const key = await makeKeyOf('ec-p256');
      node.instead.set('make_csr', () => ({ status: 'done', csr: makeCsrFor(key, names) }));
      node.instead.set('deploy', () => ({ status: 'failed', reason: 'no matter' }));
      await d.settle(node);
      expect(await d.job(job_id)).toMatchObject({ status: 'FAILED', serial_number: expect.any(String) });
      job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      expect((await answerWith(makeCsrFor(key, names))).reason).toMatch(/used by an earlier certificate/);
    });

    it('whose key was compromised is refused', async () => {
      await begin();
      const key = await makeKeyOf('ec-p256');
      const csr = makeCsrFor(key, names);
      await node.answer((await asked()).task_id, { status: 'done', csr });
      const { public_key_sha256 } = await d.job(job_id);
      await d.endpoints.people.edit('controls', `key#${public_key_sha256}`, { compromised: true });
      await d.machine.goOn();
      expect(await d.job(job_id)).toMatchObject({
        status: 'FAILED',
        reason: expect.stringMatching(/barred meanwhile/),
      });
      job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      expect((await answerWith(csr)).reason).toMatch(/revoked for key_compromise/);
    });

    it('for another key, on a second try, is refused: one renewal is for one key', async () => {
      await begin('p384');
      const signed = d.counted.signed;
      node.instead.set('deploy', () => ({ status: 'failed', reason: 'reload failed' }));
      await d.settle(node);
      expect(await d.job(job_id)).toMatchObject({ status: 'FAILED', attempt: 1 });
      const another = makeCsrFor(await makeKeyOf('ec-p384'), names);
      node.instead.set('make_csr', () => ({ status: 'done', csr: another }));
      d.passToNext(job_id);
      await d.machine.goOn();
      const { task_id } = await asked();
      await expect(node.answer(task_id, { status: 'done', csr: another })).rejects.toThrow(/run the renewal again/);
      await d.machine.goOn();
      expect(await d.job(job_id)).toMatchObject({ status: 'FAILED', attempt: 2 });
      expect(d.counted.signed - signed).toBe(1);
    });
  });
});
