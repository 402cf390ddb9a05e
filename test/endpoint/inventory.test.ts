/** The inventory: every endpoint once with what it serves and its agent, what ends soon by its index, and every agent. */
import { GetCommand, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, describe, expect, it } from 'vitest';
import { currentAttributes } from '../../src/endpoint/current.ts';
import { listExpiring } from '../../src/endpoint/expiring.ts';
import { inventoryQuerySchema, inventoryToken } from '../../src/endpoint/inventory-query.ts';
import { type Inventory, type InventoryQuery, listInventory } from '../../src/endpoint/list-inventory.ts';
import { InvalidInput } from '../../src/errors.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';

const day = 86_400_000;

describeWithEmulator('the inventory', (emulator) => {
  let d: TestDeployment;
  const now = Date.parse('2026-11-23T10:00:00Z');
  const ends = new Map<string, number>();

  const write = async (endpoint_id: string, not_after: number | null, more: Record<string, unknown> = {}) => {
    const current = {
      fingerprint: 'ab'.repeat(32),
      serial_number: `01${(ends.size % 16).toString(16).padStart(2, '0')}`,
      not_before: (not_after ?? 0) - 47 * day,
      not_after: not_after ?? 0,
      issuer: 'CN=airunner prod CA',
    };
    if (not_after !== null) ends.set(endpoint_id, not_after);
    await d.put(endpoint_id, {
      listing: 'endpoint',
      names: ['10.0.0.1'],
      host: '10.0.0.1',
      port: 443,
      fleet_id: 'web',
      policy_id: '47-day',
      validate_from: 'function',
      deployer: { kind: 'agent' },
      ...(not_after === null ? {} : currentAttributes(current)),
      ...more,
    });
  };

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    for (let n = 0; n < 40; n += 1) await write(`web-${n}`, now + Math.floor(((n - 8) * day) / 1.7) + 5_000);
    // A batch that was issued in one second.
    for (let n = 0; n < 12; n += 1) await write(`batch-${n}`, now + 3 * day);
    await write('new-1', null);
    await write('long-gone', now - 40 * day);
    await write('web-own', now + 5 * day, { agent_id: 'agent-web-01', policy_id: 'mine' });
    await write('web-lost', now + 6 * day, { agent_id: 'agent-lost', policy_id: 'lost' });
    await write('web-broken', now + 7 * day, { port: 'x' });
    await d.put('policy#mine', { listing: 'policy', lifetime_days: 'x' });
    for (const agent of ['agent-web-01', 'agent-web-02', 'agent-web-03'])
      await d.put(`agent#${agent}`, {
        listing: 'agent',
        fleet: 'web',
        last_heartbeat_at: now - 60_000,
        version: '0.1.0',
        endpoints: [{ endpoint_id: 'web-own', fingerprint: null, not_after: null }],
      });
    await d.put('fleet#web', { listing: 'fleet' });
    await d.put(`token#${'a'.repeat(64)}`, { listing: 'token#web', fleet: 'web' });
  });

  const list = (query: Partial<InventoryQuery>) =>
    listInventory({ ...d.world, now: () => now }, { limit: 500, ...query });
  const all = async (query: Partial<InventoryQuery>) => {
    const endpoints: string[] = [];
    const agents: string[] = [];
    let after: Inventory['next'];
    do {
      const page = await list({ ...query, after });
      const size = page.endpoints.length + page.agents.length;
      expect(size).toBeLessThanOrEqual(query.limit ?? 500);
      endpoints.push(...page.endpoints.map(({ endpoint_id }) => endpoint_id));
      agents.push(...page.agents.map(({ agent_id }) => agent_id));
      // Through the token, as a client pages.
      after = page.next && inventoryToken.schema.parse(inventoryToken.write(page.next));
    } while (after !== undefined);
    return { endpoints, agents };
  };
  const soon = (days: number) =>
    [...ends]
      .filter(([, end]) => end <= now + days * day && end >= now - 30 * day)
      .sort(([a, x], [b, y]) => (x === y ? (a < b ? -1 : 1) : x - y))
      .map(([id]) => id);

  describe('as a whole', () => {
    it('holds every endpoint and every agent, and nothing else, whatever the pages are', async () => {
      const whole = await all({});
      expect(whole.endpoints).toEqual([...ends.keys(), 'new-1'].sort());
      expect(whole.agents).toEqual(['agent-web-01', 'agent-web-02', 'agent-web-03']);
      for (const limit of [1, 2, 7, 57, 58]) expect(await all({ limit })).toEqual(whole);
    });
    it('shows with each what it serves, when that is renewed, and its agent', async () => {
      const { endpoints } = await list({});
      const find = (id: string) => endpoints.find(({ endpoint_id }) => endpoint_id === id);
      const end = ends.get('batch-0') ?? 0;
      expect(find('batch-0')).toMatchObject({ current: { not_after: end }, expires_at: end });
      const renews = find('batch-0')?.renews_at ?? 0;
      expect(renews).toBeGreaterThanOrEqual(end - 10 * day);
      expect(renews).toBeLessThan(end - 9 * day);
      expect(find('web-own')?.agent).toEqual({
        agent_id: 'agent-web-01',
        fleet_id: 'web',
        last_heartbeat_at: now - 60_000,
        version: '0.1.0',
      });
      expect(find('new-1')).not.toHaveProperty('expires_at');
      expect(find('web-broken')).toMatchObject({ invalid: ['port'], expires_at: now + 7 * day });
    });
    it('leaves out what is unknown: a policy that is nonsense or gone, an agent that never called', async () => {
      const { endpoints } = await list({});
      for (const id of ['web-own', 'web-lost', 'new-1'])
        expect(endpoints.find(({ endpoint_id }) => endpoint_id === id)).not.toHaveProperty('renews_at');
      expect(endpoints.find(({ endpoint_id }) => endpoint_id === 'web-lost')).not.toHaveProperty('agent');
    });
  });

  describe('of what ends soon', () => {
    it.each([0, 1, 7, 30])('within %i days, or has ended, has the first to end first', async (days) => {
      const { endpoints, agents } = await all({ expiry_within_ms: days * day });
      expect(endpoints).toEqual(soon(days));
      expect(endpoints).not.toContain('long-gone');
      expect(agents).toEqual([]);
    });
    it.each([1, 2, 5, 11, 12, 13])('has each once in pages of %i, those of one second too', async (limit) => {
      expect((await all({ expiry_within_ms: 30 * day, limit })).endpoints).toEqual(soon(30));
    });
    it('reads by the index, and of the table what it shows', async () => {
      const commands: unknown[] = [];
      const documents = new Proxy(d.world.documents, {
        get: (target, name) =>
          name !== 'send'
            ? Reflect.get(target, name)
            : (command: unknown) => {
                commands.push(command);
                return Reflect.apply(target.send, target, [command]);
              },
      });
      await listInventory({ ...d.world, documents, now: () => now }, { expiry_within_ms: day, limit: 500 });
      expect(commands.some((command) => command instanceof ScanCommand || command instanceof GetCommand)).toBe(false);
      const queries = commands.filter((command) => command instanceof QueryCommand);
      expect(queries).toHaveLength((30 + 1 + 1) * 4);
      expect(new Set(queries.map(({ input }) => input.IndexName))).toEqual(new Set(['by_expiry']));
    });
    it('shows no endpoint that the index is behind with', async () => {
      const stale = { ...currentAttributes({ ...currentOf(now + day), serial_number: '0100' }) };
      await write('renewed', now + 40 * day);
      ends.delete('renewed');
      await d.edit('renewed', { expires_at: stale.expires_at, expiry_bucket: stale.expiry_bucket });
      const { endpoints } = await list({ expiry_within_ms: 7 * day });
      expect(endpoints.map(({ endpoint_id }) => endpoint_id)).not.toContain('renewed');
      await d.remove('renewed');
    });
  });

  it('takes a token only where it was given out', async () => {
    const { next } = await list({ expiry_within_ms: 7 * day, limit: 1 });
    await expect(list({ after: next })).rejects.toThrow(InvalidInput);
    const { next: other } = await list({ limit: 1 });
    await expect(list({ expiry_within_ms: day, after: other })).rejects.toMatchObject({ field: 'next_token' });
  });

  it('an expiry scan of nothing ends at once', async () => {
    expect(await listExpiring(d.world, { from: now, to: now - 1, limit: 5 })).toEqual({ entries: [] });
  });
});

const currentOf = (not_after: number) => ({
  fingerprint: 'ab'.repeat(32),
  serial_number: '01',
  not_before: 0,
  not_after,
  issuer: 'CN=x',
});

it.each([
  [{ expiry_within_days: '-1' }],
  [{ expiry_within_days: '398' }],
  [{ expiry_within_days: '7d' }],
  [{ expiry_within_days: '' }],
  [{ limit: '501' }],
  [{ limit: '0' }],
  [{ next_token: 'garbage' }],
  ...[
    { endpoint_id: '../x' },
    { endpoint_id: 'a', expires_at: -1 },
    { endpoint_id: 'a', expires_at: 1e300 },
    { agent_id: 'A#' },
    {},
  ].map((place): [object] => [{ next_token: Buffer.from(JSON.stringify(['inventory', place])).toString('base64url') }]),
  [{ status: 'pending' }],
])('an inventory asked for with %o is refused', (query) => {
  expect(inventoryQuerySchema.safeParse(query).success).toBe(false);
});

it('an inventory is asked for in days', () => {
  expect(inventoryQuerySchema.parse({ expiry_within_days: '30' })).toEqual({
    expiry_within_days: 30 * day,
    limit: 100,
  });
});
