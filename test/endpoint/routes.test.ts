/** The routes of endpoints, policies, fleets and the inventory, from event to table: what each role gets, what is refused. */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Reach } from '../../src/access/roles.ts';
import type { PrincipalType } from '../../src/principal/principal.ts';
import { describeWithEmulator } from '../emulator.ts';
import { type EventParts, event } from '../http/event.ts';
import { makeStampKey } from '../stamps.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';

const base = '/api/v1/identity';
const changes = ['any', 'any', 'none', 'none'] as const;
const reads = ['any', 'any', 'any', 'none'] as const;
const adminChanges = ['any', 'none', 'none', 'none'] as const;

type Handler = (event: unknown) => Promise<{ statusCode: number; body: string }>;

/** Every route with its function, and how far an admin, an operator, an auditor and the others reach on it. */
const routes: Readonly<Record<string, readonly [() => Promise<{ handler: Handler }>, readonly Reach[]]>> = {
  [`PUT ${base}/endpoints/{endpoint_id}`]: [() => import('../../lambdas/endpoint/put-endpoint.ts'), changes],
  [`GET ${base}/endpoints/{endpoint_id}`]: [() => import('../../lambdas/endpoint/get-endpoint.ts'), reads],
  [`DELETE ${base}/endpoints/{endpoint_id}`]: [() => import('../../lambdas/endpoint/delete-endpoint.ts'), changes],
  [`GET ${base}/inventory`]: [() => import('../../lambdas/endpoint/list-inventory.ts'), reads],
  [`GET ${base}/policies`]: [() => import('../../lambdas/policy/list-policies.ts'), reads],
  [`PUT ${base}/policies/{policy_id}`]: [() => import('../../lambdas/policy/put-policy.ts'), adminChanges],
  [`GET ${base}/policies/{policy_id}`]: [() => import('../../lambdas/policy/get-policy.ts'), reads],
  [`DELETE ${base}/policies/{policy_id}`]: [() => import('../../lambdas/policy/delete-policy.ts'), adminChanges],
  [`GET ${base}/fleets`]: [() => import('../../lambdas/fleet/list-fleets.ts'), reads],
  [`PUT ${base}/fleets/{fleet_id}`]: [() => import('../../lambdas/fleet/put-fleet.ts'), changes],
  [`GET ${base}/fleets/{fleet_id}`]: [() => import('../../lambdas/fleet/get-fleet.ts'), reads],
  [`DELETE ${base}/fleets/{fleet_id}`]: [() => import('../../lambdas/fleet/delete-fleet.ts'), changes],
  [`POST ${base}/fleets/{fleet_id}/tokens`]: [() => import('../../lambdas/fleet/make-enrolment-token.ts'), changes],
  [`DELETE ${base}/fleets/{fleet_id}/tokens/{token_id}`]: [
    () => import('../../lambdas/fleet/revoke-enrolment-token.ts'),
    changes,
  ],
};

describeWithEmulator('endpoints, policies and fleets over HTTP', (emulator) => {
  let d: TestDeployment;
  const callers = new Map<string, object>();

  const call = async (as: string, route: string, parts: EventParts = {}) => {
    const whole = route.replace(' ', ` ${base}`);
    const found = routes[whole];
    if (found === undefined) throw new Error(`no route ${route}`);
    const { handler } = await found[0]();
    const answer = await handler(event(whole, { ...parts, caller: callers.get(as) ?? null }));
    return { ...JSON.parse(answer.body), status: answer.statusCode };
  };

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    const environment = {
      ...emulator.env,
      EVERLEAF_NAME: d.world.deployment.name,
      EVERLEAF_ENVIRONMENT: 'dev',
      STAMP_KEY_ID: await makeStampKey(emulator),
      DOMAIN_NAME: 'api.airunner.example',
      REACHABLE: '127.0.0.1',
      POWERTOOLS_LOG_LEVEL: 'SILENT',
    };
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const people: [string, PrincipalType][] = [
      ['alice', 'admin'],
      ['olga', 'operator'],
      ['otto', 'auditor'],
      ['wim', 'worker'],
      ['sven', 'service'],
      ['uwe', 'user'],
    ];
    for (const [id, type] of people) {
      const { generation, ...caller } = await d.enrol(id, type);
      callers.set(id, { ...caller, generation: String(generation) });
    }
  });

  it('take the runbook’s way: a policy, a fleet with a token, an endpoint, the inventory, and away with them', async () => {
    const policy = await call('alice', 'PUT /policies/{policy_id}', {
      path: { policy_id: 'web' },
      body: { preset: '100-day', ca: { kind: 'acme', directory: 'https://acme.example.com/dir' } },
    });
    expect(policy).toMatchObject({ status: 201, policy_id: 'web', warnings: [{ name: '47-day-limit' }] });
    const fleet = { path: { fleet_id: 'web' } };
    expect(await call('olga', 'PUT /fleets/{fleet_id}', { ...fleet, body: { endpoint_ids: ['web-*'] } })).toMatchObject(
      {
        status: 201,
        fleet_id: 'web',
        poll_after_seconds: 900,
        closed: false,
      },
    );
    const made = await call('olga', 'POST /fleets/{fleet_id}/tokens', { ...fleet, body: {} });
    expect(made).toMatchObject({ status: 201, kind: 'single', token: expect.any(String) });
    expect(await call('otto', 'GET /fleets/{fleet_id}', fleet)).toMatchObject({
      status: 200,
      tokens: [{ token_id: made.token_id }],
    });
    const endpoint = { path: { endpoint_id: 'web-1' } };
    const body = { names: ['web.example.com'], host: '127.0.0.1', fleet_id: 'web', policy_id: 'web' };
    expect(await call('olga', 'PUT /endpoints/{endpoint_id}', { ...endpoint, body })).toMatchObject({
      status: 201,
      endpoint_id: 'web-1',
      warnings: [{ name: '47-day-limit' }],
    });
    expect((await call('olga', 'PUT /endpoints/{endpoint_id}', { ...endpoint, body })).status).toBe(200);
    expect(await call('otto', 'GET /endpoints/{endpoint_id}', endpoint)).toMatchObject({ status: 200, ...body });
    expect(await call('otto', 'GET /inventory')).toMatchObject({
      status: 200,
      endpoints: [{ endpoint_id: 'web-1' }],
      agents: [],
    });
    expect(await call('otto', 'GET /policies', { query: { limit: '3' } })).toMatchObject({
      policies: [{ policy_id: '100-day' }, { policy_id: '200-day' }, { policy_id: '47-day' }],
      next_token: expect.any(String),
    });
    expect(await call('otto', 'GET /fleets')).toMatchObject({ fleets: [{ fleet_id: 'web' }] });

    expect(await call('alice', 'DELETE /policies/{policy_id}', { path: { policy_id: 'web' } })).toMatchObject({
      status: 409,
      field: 'policy_id',
      detail: expect.stringContaining('web-1'),
    });
    const revoked = { path: { fleet_id: 'web', token_id: made.token_id } };
    expect(await call('olga', 'DELETE /fleets/{fleet_id}/tokens/{token_id}', revoked)).toMatchObject({ status: 200 });
    expect(await call('olga', 'DELETE /endpoints/{endpoint_id}', endpoint)).toEqual({
      status: 200,
      endpoint_id: 'web-1',
      deleted: true,
    });
    expect((await call('olga', 'DELETE /fleets/{fleet_id}', fleet)).status).toBe(200);
    expect((await call('alice', 'DELETE /policies/{policy_id}', { path: { policy_id: 'web' } })).status).toBe(200);
    expect((await call('otto', 'GET /inventory')).endpoints).toEqual([]);
  });

  describe.each([
    ['PUT /endpoints/{endpoint_id}', { path: { endpoint_id: 'Web' } }, 'endpoint_id'],
    ['GET /endpoints/{endpoint_id}', { path: { endpoint_id: 'policy#web' } }, 'endpoint_id'],
    ['DELETE /endpoints/{endpoint_id}', { path: { endpoint_id: 'fleet#web' } }, 'endpoint_id'],
    ['DELETE /endpoints/{endpoint_id}', { path: { endpoint_id: 'w' }, body: { force: true } }, 'force'],
    ['GET /endpoints/{endpoint_id}', { path: { endpoint_id: 'w' }, query: { verbose: '1' } }, 'verbose'],
    ['PUT /policies/{policy_id}', { path: { policy_id: 'w' }, body: { preset: '47-day', retries: 99 } }, 'retries'],
    ['PUT /policies/{policy_id}', { path: { policy_id: 'w' }, body: {} }, 'lifetime_days'],
    ['PUT /policies/{policy_id}', { path: { policy_id: 'w' }, body: '{' }, 'body'],
    ['GET /policies', { query: { limit: '0' } }, 'limit'],
    ['GET /policies', { query: { next_token: 'x' } }, 'next_token'],
    ['PUT /fleets/{fleet_id}', { path: { fleet_id: 'w' }, body: {} }, 'endpoint_ids'],
    ['PUT /fleets/{fleet_id}', { path: { fleet_id: 'w' }, body: { endpoint_ids: ['w/*'] } }, 'endpoint_ids.0'],
    [
      'PUT /fleets/{fleet_id}',
      { path: { fleet_id: 'w' }, body: { endpoint_ids: ['*'], poll_after_seconds: 9 } },
      'poll_after_seconds',
    ],
    ['POST /fleets/{fleet_id}/tokens', { path: { fleet_id: 'w' }, body: { kind: 'any' } }, 'kind'],
    ['DELETE /fleets/{fleet_id}/tokens/{token_id}', { path: { fleet_id: 'w', token_id: 'evt_x' } }, 'token_id'],
    ['GET /inventory', { query: { expiry_within_days: '-7' } }, 'expiry_within_days'],
    ['GET /inventory', { query: { expiry_within_days: ['7', '8'] } }, 'expiry_within_days'],
  ] as const)('%s with %j', (route, parts, field) => {
    it(`is refused by the name of ${field}`, async () => {
      expect(await call('alice', route, parts as EventParts)).toMatchObject({ status: 400, field });
    });
  });

  it.each([
    ['GET /endpoints/{endpoint_id}', { endpoint_id: 'nobody' }, 'endpoint_id'],
    ['DELETE /endpoints/{endpoint_id}', { endpoint_id: 'nobody' }, 'endpoint_id'],
    ['GET /policies/{policy_id}', { policy_id: 'nobody' }, 'policy_id'],
    ['DELETE /policies/{policy_id}', { policy_id: 'nobody' }, 'policy_id'],
    ['GET /fleets/{fleet_id}', { fleet_id: 'nobody' }, 'fleet_id'],
    ['DELETE /fleets/{fleet_id}', { fleet_id: 'nobody' }, 'fleet_id'],
    ['POST /fleets/{fleet_id}/tokens', { fleet_id: 'nobody' }, 'fleet_id'],
  ])('%s of %j is not there', async (route, path, field) => {
    expect(await call('alice', route, { path })).toMatchObject({ status: 404, field });
  });

  it.each(['47-day', '100-day', '200-day', 'mtls'])('the preset %s is read-only', async (policy_id) => {
    const path = { policy_id };
    expect(await call('otto', 'GET /policies/{policy_id}', { path })).toMatchObject({ status: 200, preset: true });
    const body = { preset: policy_id };
    expect((await call('alice', 'PUT /policies/{policy_id}', { path, body })).status).toBe(409);
    expect((await call('alice', 'DELETE /policies/{policy_id}', { path })).status).toBe(409);
  });

  const types = { alice: 0, olga: 1, otto: 2, wim: 3, sven: 3, uwe: 3 } as const;
  const cells = Object.entries(routes).flatMap(([route, [, reach]]) =>
    Object.entries(types).map(([as, column]) => ({
      route: route.replace(base, ''),
      as,
      may: reach[column] !== 'none',
    })),
  );
  it.each(cells)('$as on $route: $may', async ({ route, as, may }) => {
    const path = Object.fromEntries(
      [...route.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, name === 'token_id' ? '0'.repeat(64) : 'none']),
    );
    const { status } = await call(as, route, { path: Object.keys(path).length > 0 ? path : {} });
    if (may) expect([200, 400, 404]).toContain(status);
    else expect(status).toBe(403);
  });

  it('a change needs JSON, and a browser the same origin', async () => {
    const parts = { path: { fleet_id: 'web' }, body: { endpoint_ids: ['*'] } };
    const form = { 'Content-Type': 'text/plain' };
    expect((await call('olga', 'PUT /fleets/{fleet_id}', { ...parts, headers: form })).status).toBe(415);
    const elsewhere = { Origin: 'https://evil.example' };
    expect((await call('olga', 'DELETE /fleets/{fleet_id}', { path: parts.path, headers: elsewhere })).status).toBe(
      403,
    );
  });
});
