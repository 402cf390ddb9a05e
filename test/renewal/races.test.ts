/** Whatever happens twice, or at once, happens once: runs, functions, executions, agents. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deleteEndpoint } from '../../src/endpoint/delete-endpoint.ts';
import { readRow } from '../../src/endpoint/read-row.ts';
import { runRenewals } from '../../src/renewal/run-renewals.ts';
import { arrows } from '../../src/renewal/status.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';
import type { TestNode } from './node.ts';

describeWithEmulator('renewals', (emulator) => {
  let d: TestDeployment;
  let node: TestNode;
  let endpoint_id = '';
  let count = 0;

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    await d.makeFleet('web');
  });
  afterAll(() => d.close());
  beforeEach(async () => {
    count += 1;
    endpoint_id = `web-${count}`;
    node = await d.node('web', [endpoint_id]);
    await d.endpoint(endpoint_id, node.port);
  });
  const jobsOf = async () => (await d.allJobs()).filter((row) => row.endpoint_id === endpoint_id);

  it('of one endpoint that are run at once are one', async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, () => d.run(endpoint_id)));
    expect(new Set(ids).size).toBe(1);
    expect(await jobsOf()).toHaveLength(1);
    expect([...d.machine.executions.keys()].filter((name) => ids.includes(name))).toHaveLength(1);
    await d.settle(node);
    expect(await jobsOf()).toMatchObject([{ status: 'SUCCEEDED' }]);
  });

  it('of one endpoint are one while it is live, whichever policy is asked for, and another one afterwards', async () => {
    const [first] = await runRenewals(d.world, { caller: d.admin, endpoint_ids: [endpoint_id, endpoint_id] });
    await d.machine.goOn();
    const again = { caller: d.admin, endpoint_ids: [endpoint_id], policy_id: '100-day' };
    expect(await runRenewals(d.world, again)).toEqual([{ ...first, status: 'CSR_REQUESTED' }]);
    await d.settle(node);
    const [later] = await runRenewals(d.world, again);
    expect(later).toMatchObject({ status: 'PENDING' });
    expect(later?.job_id).not.toBe(first?.job_id);
    expect(await d.job(later?.job_id ?? '')).toMatchObject({ policy_id: '100-day', policy: { lifetime_days: 100 } });
    await d.settle(node);
  });

  it('of several endpoints are begun in the order in which they were named', async () => {
    const more = [];
    for (let n = 0; n < 11; n += 1) {
      const id = `${endpoint_id}-${n}`;
      await d.endpoint(id, node.port);
      more.push(id);
    }
    const begun = await runRenewals(d.world, { caller: d.admin, endpoint_ids: more });
    expect(begun.map((one) => one.endpoint_id)).toEqual(more);
    expect(new Set(begun.map(({ job_id }) => job_id)).size).toBe(more.length);
    for (const { job_id } of begun) await d.rollback(job_id);
  });

  it('whose functions are all called twice, at once and one after the other, end as if they had been called once', async () => {
    const usual = d.functions();
    const twice = Object.fromEntries(
      Object.entries(usual).map(([name, work]) => [
        name,
        async (payload: unknown) => {
          const both = await Promise.allSettled([work(payload), work(payload)]);
          await work(payload).catch(() => null);
          const done = both.find((one) => one.status === 'fulfilled');
          if (done === undefined && both[0].status === 'rejected') throw both[0].reason;
          return done?.value;
        },
      ]),
    );
    const signed = d.counted.signed;
    const job_id = await d.run(endpoint_id);
    const restoreFunctions = d.replaceFunctions(twice);
    await d.settle(node);
    restoreFunctions();
    const job = await d.job(job_id);
    expect(job.status).toBe('SUCCEEDED');
    const path = job.history.map(({ status }) => status);
    for (const [index, to] of path.slice(1).entries()) expect(arrows[path[index] ?? 'PENDING']).toContain(to);
    expect(new Set(path).size).toBe(path.length);
    expect(new Set(node.served)).toEqual(new Set([job.fingerprint]));
    // Of two signatures at once one is put into the row, and nobody ever sees the other.
    expect(d.counted.signed - signed).toBeLessThanOrEqual(2);
  });

  it('whose execution another one took over from are not touched by the old one any more', async () => {
    const job_id = await d.run(endpoint_id);
    await d.machine.goOn();
    d.machine.kill();
    await d.run(endpoint_id);
    const job = await d.job(job_id);
    expect(job.execution).not.toBe(job_id);
    const old = { job_id, execution: job_id, task_token: 'token-of-the-old-one' };
    const functions = d.functions();
    for (const [name, work] of Object.entries(functions)) {
      if (name === 'FailRenewal') continue;
      await expect(work(old), name).rejects.toMatchObject({ name: 'Conflict' });
    }
    const row = await d.jobRow(job_id);
    expect(await functions.FailRenewal?.({ ...old, caught: { error: { Error: 'States.Timeout' } } })).toMatchObject({
      next: 'end',
      reason: 'another execution took over',
    });
    expect(await d.jobRow(job_id)).toEqual(row);
    await d.settle(node);
    expect((await d.job(job_id)).status).toBe('SUCCEEDED');
  });

  it('that are live are resumed by one execution, however many ask at once', async () => {
    const job_id = await d.run(endpoint_id);
    d.machine.kill();
    const ids = await Promise.all(Array.from({ length: 4 }, () => d.run(endpoint_id)));
    expect(new Set(ids)).toEqual(new Set([job_id]));
    const running = [...d.machine.executions.values()].filter(
      ({ name, status }) => name.startsWith(job_id) && status === 'running',
    );
    const { execution } = await d.job(job_id);
    expect(running.map(({ name }) => name)).toContain(execution);
    await d.settle(node);
    expect((await d.job(job_id)).status).toBe('SUCCEEDED');
    expect(new Set(node.served).size).toBe(1);
  });

  it('take their steps one by one, in any order that functions are called in', async () => {
    const job_id = await d.run(endpoint_id);
    d.machine.kill();
    const functions = d.functions();
    const step = { job_id, execution: job_id, task_token: 'token-x' };
    for (const name of ['StartChallenge', 'IssueCertificate', 'DeployCertificate', 'ValidateEndpoint', 'FinishRenewal'])
      await expect(functions[name]?.(step), name).rejects.toMatchObject({
        name: 'Conflict',
        message: expect.any(String),
      });
    expect((await d.job(job_id)).history).toHaveLength(1);
    await d.rollback(job_id);
  });

  it('keep their endpoint from being deleted, or put otherwise', async () => {
    const job_id = await d.run(endpoint_id);
    await expect(deleteEndpoint(d.world, { caller: d.admin, endpoint_id })).rejects.toThrow(job_id);
    await expect(d.endpoint(endpoint_id, node.port, { names: ['other.example.com'] })).rejects.toMatchObject({
      name: 'Conflict',
      field: 'names',
    });
    await d.settle(node);
    await deleteEndpoint(d.world, { caller: d.admin, endpoint_id });
  });

  it('go to their end where somebody deletes the endpoint’s row by hand', async () => {
    await node.heartbeat();
    const job_id = await d.run(endpoint_id);
    await d.machine.goOn();
    await d.endpoints.remove(endpoint_id);
    await d.settle(node);
    const job = await d.job(job_id);
    expect(job).toMatchObject({ status: 'FAILED', reason: `the endpoint ${endpoint_id} was deleted` });
    expect(await readRow(d.world, endpoint_id)).toBeUndefined();
  });

  describe('are refused', () => {
    it.each([
      ['an endpoint that is not there', ['nobody'], {}, 'NotFound', 'endpoint_ids'],
      ['a policy that is not there', [], { policy_id: 'nobody' }, 'InvalidInput', 'policy_id'],
      ['a policy of a public CA', [], { policy_id: 'public' }, 'InvalidInput', 'policy_id'],
    ] as const)('for %s, with nothing begun', async (_what, more, input, name, field) => {
      await d.policy('public', {
        preset: '47-day',
        ca: { kind: 'acme', directory: 'https://a.example/dir', account: 'a' },
        challenge: 'http-01',
      });
      const run = runRenewals(d.world, { caller: d.admin, endpoint_ids: [endpoint_id, ...more], ...input });
      await expect(run).rejects.toMatchObject({ name, field });
      expect(await jobsOf()).toEqual([]);
      expect(await readRow(d.world, endpoint_id)).not.toHaveProperty('live_job');
    });

    it('for an endpoint that is served by something else than an agent', async () => {
      const certificate_arn = 'arn:aws:acm:eu-central-1:123456789012:certificate/1-2';
      await d.endpoint(endpoint_id, node.port, { deployer: { kind: 'acm', certificate_arn } });
      await expect(d.run(endpoint_id)).rejects.toMatchObject({ name: 'InvalidInput', field: 'endpoint_ids' });
    });

    it('for an endpoint whose row somebody edited to nonsense', async () => {
      await d.endpoints.edit(endpoint_id, { port: 'https' });
      await expect(d.run(endpoint_id)).rejects.toMatchObject({ name: 'Conflict' });
    });

    it('to a caller that was suspended meanwhile', async () => {
      await d.endpoints.people.edit('principals', 'alice', { status: 'suspended' });
      try {
        await expect(d.run(endpoint_id)).rejects.toMatchObject({ name: 'NotAllowed' });
      } finally {
        await d.endpoints.people.edit('principals', 'alice', { status: 'active' });
      }
      expect(await jobsOf()).toEqual([]);
    });
  });

  it.each([
    ['over', { status: 'SUCCEEDED' }],
    ['edited to nonsense', { status: 'WHATEVER' }],
    ['edited to nonsense in its history', { history: 'none' }],
  ])('begin anew where the one that the endpoint names is %s', async (_what, values) => {
    const job_id = await d.run(endpoint_id);
    d.machine.kill();
    await d.edit(job_id, values);
    const another = await d.run(endpoint_id);
    expect(another).not.toBe(job_id);
    await d.settle(node);
    expect((await d.job(another)).status).toBe('SUCCEEDED');
  });
});
