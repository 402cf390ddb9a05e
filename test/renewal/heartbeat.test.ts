/** Heartbeats: what an agent is told, which endpoints become its own, how often it asks, what is noted of it. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseAgent } from '../../src/endpoint/agent.ts';
import { deleteFleet } from '../../src/endpoint/delete-fleet.ts';
import { listInventory } from '../../src/endpoint/list-inventory.ts';
import { readRow } from '../../src/endpoint/read-row.ts';
import { endpointKeys } from '../../src/names.ts';
import { heartbeat, heartbeatSchema } from '../../src/renewal/heartbeat.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';
import { startNode, type TestNode } from './node.ts';

describeWithEmulator('a heartbeat', (emulator) => {
  let d: TestDeployment;
  let node: TestNode;
  let endpoint_id = '';
  let count = 0;

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    await d.makeFleet('web', { endpoint_ids: ['web-*'], poll_after_seconds: 600 });
    await d.makeFleet('other', { endpoint_ids: ['web-*'] });
    await d.policy('once', { retries: 0 });
    await d.policy('often', { retries: 9 });
  });
  afterAll(() => d.close());
  beforeEach(async () => {
    count += 1;
    endpoint_id = `web-${count}`;
    node = await d.node('web', [endpoint_id]);
  });
  const ownerOf = async (id = endpoint_id) => (await readRow(d.world, id))?.agent_id;
  const noted = async () => {
    const row = await readRow(d.world, endpointKeys.agent(node.caller.principal_id));
    return row === undefined ? undefined : parseAgent(row);
  };

  describe('takes over', () => {
    it('an endpoint of the fleet that nobody serves yet, and its renewal that waits for somebody', async () => {
      await d.endpoint(endpoint_id, node.port, { policy_id: 'once' });
      const job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      expect((await d.job(job_id)).agent_id).toBeUndefined();
      const { tasks } = await node.heartbeat();
      expect(await ownerOf()).toBe(node.caller.principal_id);
      expect(tasks).toMatchObject([
        {
          job_id,
          endpoint_id,
          kind: 'make_csr',
          names: ['web.example.com', '127.0.0.1'],
          key_type: 'ec-p256',
          task_id: expect.any(String),
          expires_at: expect.any(Number),
        },
      ]);
      await d.settle(node);
      expect((await d.job(job_id)).status).toBe('SUCCEEDED');
    });

    it('an endpoint of which two agents ask at once for one of them', async () => {
      await d.endpoint(endpoint_id, node.port);
      const rival = await d.node('web', [endpoint_id]);
      await Promise.all([node.heartbeat(), rival.heartbeat(), node.heartbeat(), rival.heartbeat()]);
      const owner = await ownerOf();
      expect([node.caller.principal_id, rival.caller.principal_id]).toContain(owner);
      await rival.heartbeat();
      await node.heartbeat();
      expect(await ownerOf()).toBe(owner);
    });

    it.each([
      ['that another agent has', async () => void (await (await d.node('web', [endpoint_id])).heartbeat())],
      ['of another fleet', async () => void (await d.endpoint(endpoint_id, node.port, { fleet_id: 'other' }))],
      [
        'that its fleet may own no more',
        async () => void (await d.makeFleet('web', { endpoint_ids: ['mail-*'], poll_after_seconds: 600 })),
      ],
      ['whose row somebody edited to nonsense', async () => void (await d.endpoints.edit(endpoint_id, { port: 'x' }))],
    ])('none %s', async (_what, meanwhile) => {
      await d.endpoint(endpoint_id, node.port);
      await meanwhile();
      const owner = await ownerOf();
      await node.heartbeat();
      expect(await ownerOf()).toBe(owner);
      expect(owner).not.toBe(node.caller.principal_id);
      await d.makeFleet('web', { endpoint_ids: ['web-*'], poll_after_seconds: 600 });
    });

    it('none beyond what its own token allows', async () => {
      await d.endpoint(endpoint_id, node.port);
      const { pem } = await d.enrolNode('web', await d.token('web', ['web-none-*']));
      const narrow = await startNode(() => d.world, await d.endpoints.callerWith(pem), [endpoint_id]);
      await narrow.heartbeat();
      expect(await ownerOf()).toBeUndefined();
      await narrow.close();
    });

    it('none for an agent of a fleet that was deleted and made again', async () => {
      await d.makeFleet('gone', { endpoint_ids: ['web-*'] });
      const old = await d.node('gone', [endpoint_id]);
      await deleteFleet(d.world, { caller: d.admin, fleet_id: 'gone' });
      expect(await old.heartbeat()).toMatchObject({ tasks: [], poll_after_seconds: 900 });
      d.pass(5);
      await d.makeFleet('gone', { endpoint_ids: ['web-*'] });
      await d.endpoint(endpoint_id, old.port, { fleet_id: 'gone' });
      expect(await old.heartbeat()).toMatchObject({ tasks: [], poll_after_seconds: 900 });
      expect(await ownerOf()).toBeUndefined();
    });

    it('none for an agent that was suspended meanwhile', async () => {
      await d.endpoint(endpoint_id, node.port);
      await d.endpoints.suspend(node.caller);
      await expect(node.heartbeat()).rejects.toMatchObject({ name: 'NotAllowed' });
      expect(await ownerOf()).toBeUndefined();
    });
  });

  describe('is answered', () => {
    it('with the fleet’s pause while nothing is to be done, and the server’s clock', async () => {
      await d.endpoint(endpoint_id, node.port);
      const before = d.now();
      const heard = await node.heartbeat();
      expect(heard).toMatchObject({ tasks: [], poll_after_seconds: 600 });
      expect(heard.now).toBeGreaterThanOrEqual(before);
    });

    it('with a short pause during a renewal, and again the fleet’s after it', async () => {
      await d.endpoint(endpoint_id, node.port);
      await node.heartbeat();
      await d.run(endpoint_id);
      expect((await node.heartbeat()).poll_after_seconds).toBe(3);
      await d.settle(node);
      expect((await node.heartbeat()).poll_after_seconds).toBe(600);
    });

    it('while a try is due later, with a pause until then', async () => {
      await d.endpoint(endpoint_id, node.port, { policy_id: 'often' });
      await node.heartbeat();
      node.instead.set('make_csr', () => ({ status: 'failed', reason: 'the disk is full' }));
      const job_id = await d.run(endpoint_id);
      await d.settle(node);
      const { next_try_at = 0 } = await d.job(job_id);
      const left = (next_try_at - d.now()) / 1_000;
      const { poll_after_seconds } = await node.heartbeat();
      expect(poll_after_seconds).toBeGreaterThanOrEqual(Math.floor(left) - 1);
      expect(poll_after_seconds).toBeLessThanOrEqual(Math.ceil(left) + 1);
      for (let n = 0; n < 6; n += 1) {
        d.passToNext(job_id);
        await d.settle(node);
      }
      expect((await node.heartbeat()).poll_after_seconds).toBeLessThanOrEqual(600);
      await d.rollback(job_id);
    });

    it('with its tasks also where its file does not name the endpoint, so that it can say so', async () => {
      await d.endpoint(endpoint_id, node.port, { agent_id: node.caller.principal_id });
      const job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      expect((await node.heartbeat([])).tasks).toMatchObject([{ job_id }]);
    });

    it('with no task whose time is over', async () => {
      await d.endpoint(endpoint_id, node.port);
      await node.heartbeat();
      await d.run(endpoint_id);
      await d.machine.goOn();
      d.pass(3_600_000);
      expect((await node.heartbeat()).tasks).toEqual([]);
    });

    it('and keeps the step that waits for it alive', async () => {
      await d.endpoint(endpoint_id, node.port);
      await node.heartbeat();
      const job_id = await d.run(endpoint_id);
      await d.machine.goOn();
      const until = d.machine.nextAt(job_id);
      d.pass(100_000);
      await node.heartbeat();
      expect(d.machine.nextAt(job_id)).toBeGreaterThan((until ?? 0) + 90_000);
    });
  });

  describe('is noted', () => {
    it('with what the agent said, for the inventory', async () => {
      await d.endpoint(endpoint_id, node.port);
      const at = d.now();
      await node.heartbeat();
      const agent = await noted();
      expect(agent).toMatchObject({
        agent_id: node.caller.principal_id,
        fleet_id: 'web',
        version: 'test',
        endpoints: [{ endpoint_id, fingerprint: null }],
      });
      expect(agent?.last_heartbeat_at).toBeGreaterThanOrEqual(at);
      const { endpoints, agents } = await listInventory(d.world, { limit: 100 });
      expect(endpoints.find((one) => one.endpoint_id === endpoint_id)).toMatchObject({
        agent: { last_heartbeat_at: agent?.last_heartbeat_at },
      });
      expect(agents.map(({ agent_id }) => agent_id)).toContain(node.caller.principal_id);
    });

    it('once a minute where it says the same, at once where it says something else', async () => {
      await d.endpoint(endpoint_id, node.port);
      await node.heartbeat();
      const first = await noted();
      d.pass(30_000);
      await node.heartbeat();
      expect(await noted()).toEqual(first);
      await node.heartbeat([]);
      expect((await noted())?.endpoints).toEqual([]);
      const second = await noted();
      d.pass(61_000);
      await node.heartbeat([]);
      expect((await noted())?.last_heartbeat_at).toBeGreaterThan(second?.last_heartbeat_at ?? 0);
    });

    it('whatever its clock says', async () => {
      const { caller } = node;
      for (const now of [0, 8.64e15]) await heartbeat(d.world, { caller, heard: { version: '1', now, endpoints: [] } });
      expect(Math.abs(((await noted())?.last_heartbeat_at ?? 0) - d.now())).toBeLessThan(60_000);
    });

    it('where somebody edited its row to nonsense', async () => {
      await node.heartbeat();
      await d.endpoints.edit(endpointKeys.agent(node.caller.principal_id), {
        last_heartbeat_at: 'yesterday',
        endpoints: 7,
      });
      await node.heartbeat();
      expect((await noted())?.endpoints).toHaveLength(1);
    });
  });

  it.each([
    ['another’s principal', 'admin'],
    ['a worker that did not enrol', 'worker'],
  ] as const)('of %s is refused', async (_who, type) => {
    const caller = await d.endpoints.enrol(`somebody-${count}`, type);
    const heard = { version: '1', now: 1, endpoints: [] };
    await expect(heartbeat(d.world, { caller, heard })).rejects.toMatchObject({ name: 'NotAllowed' });
  });

  it.each([
    [{}],
    [{ version: '1', now: 1, endpoints: [{ endpoint_id: 'policy#x', fingerprint: null, not_after: null }] }],
    [{ version: '1', now: 1, endpoints: [{ endpoint_id: 'x', fingerprint: 'AB', not_after: null }] }],
    [{ version: '1', now: 1.5, endpoints: [] }],
    [{ version: '', now: 1, endpoints: [] }],
    [
      {
        version: '1',
        now: 1,
        endpoints: Array.from({ length: 201 }, (_, n) => ({
          endpoint_id: `e${n}`,
          fingerprint: null,
          not_after: null,
        })),
      },
    ],
    [{ version: '1', now: 1, endpoints: [], commands: [] }],
  ])('is none: %j', (body) => {
    expect(heartbeatSchema.safeParse(body).success).toBe(false);
  });
});
