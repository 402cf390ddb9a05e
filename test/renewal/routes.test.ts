/** The routes of renewals, agents and enrolment, from event to table: what each role gets, what is refused. */
import { CreateStateMachineCommand, SFNClient } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Reach } from '../../src/access/roles.ts';
import { newToken } from '../../src/endpoint/token.ts';
import type { PrincipalType } from '../../src/principal/principal.ts';
import { newRequest } from '../certificate/deployment.ts';
import { describeWithEmulator } from '../emulator.ts';
import { type EventParts, event } from '../http/event.ts';
import { makeStampKey } from '../stamps.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';
import type { TestNode } from './node.ts';

const base = '/api/v1/identity';
const changes = ['any', 'any', 'none', 'none'] as const;
const reads = ['any', 'any', 'any', 'none'] as const;
const agents = ['none', 'none', 'none', 'self'] as const;

type Handler = (event: unknown) => Promise<{ statusCode: number; body: string }>;

/** Every route with its function, and how far an admin, an operator, an auditor and a worker reach on it. */
const routes: Readonly<Record<string, readonly [() => Promise<{ handler: Handler }>, readonly Reach[]]>> = {
  [`POST ${base}/renewals/run`]: [() => import('../../lambdas/renewal/run-renewals.ts'), changes],
  [`GET ${base}/renewals`]: [() => import('../../lambdas/renewal/list-renewals.ts'), reads],
  [`GET ${base}/renewals/{job_id}`]: [() => import('../../lambdas/renewal/get-renewal.ts'), reads],
  [`POST ${base}/renewals/{job_id}/rollback`]: [() => import('../../lambdas/renewal/rollback-renewal.ts'), changes],
  [`POST ${base}/agents/heartbeat`]: [() => import('../../lambdas/agent/take-heartbeat.ts'), agents],
  [`POST ${base}/agents/tasks/{task_id}`]: [() => import('../../lambdas/agent/take-answer.ts'), agents],
};

// Until the role table names them.
vi.mock('../../src/access/roles.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../src/access/roles.ts')>();
  const column: Partial<Record<PrincipalType, number>> = { admin: 0, operator: 1, auditor: 2, worker: 3 };
  return {
    ...original,
    reachOf: (route: string, type: PrincipalType) =>
      routes[route] === undefined ? original.reachOf(route, type) : (routes[route][1][column[type] ?? -1] ?? 'none'),
  };
});

describeWithEmulator('renewals and agents over HTTP', (emulator) => {
  let d: TestDeployment;
  let node: TestNode;
  const callers = new Map<string, object>();

  const call = async (as: string, route: string, parts: EventParts = {}) => {
    const whole = route.replace(' ', ` ${base}`);
    const found = routes[whole];
    if (found === undefined) throw new Error(`no route ${route}`);
    const { handler } = await found[0]();
    const answer = await handler(event(whole, { ...parts, caller: callers.get(as) ?? null }));
    return { ...JSON.parse(answer.body), code: answer.statusCode };
  };
  const asCaller = ({ generation, ...caller }: { readonly generation: number }) => ({
    ...caller,
    generation: String(generation),
  });

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    const { stateMachineArn = '' } = await emulator.client(SFNClient).send(
      new CreateStateMachineCommand({
        name: `${d.world.deployment.name}-dev-renew-certificate`,
        definition: JSON.stringify({ StartAt: 'Rest', States: { Rest: { Type: 'Wait', Seconds: 600, End: true } } }),
        roleArn: 'arn:aws:iam::000000000000:role/any',
      }),
    );
    const environment = {
      ...emulator.env,
      EVERLEAF_NAME: d.world.deployment.name,
      EVERLEAF_ENVIRONMENT: 'dev',
      STAMP_KEY_ID: await makeStampKey(emulator),
      DOMAIN_NAME: 'api.airunner.example',
      RENEW_STATE_MACHINE: stateMachineArn,
      POWERTOOLS_LOG_LEVEL: 'SILENT',
    };
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const people: [string, PrincipalType][] = [
      ['olga', 'operator'],
      ['otto', 'auditor'],
      ['sven', 'service'],
      ['wim', 'worker'],
    ];
    callers.set('alice', asCaller(d.admin));
    for (const [id, type] of people) callers.set(id, asCaller(await d.endpoints.enrol(id, type)));
    await d.makeFleet('web');
    node = await d.node('web', ['web-1']);
    callers.set('agent', asCaller(node.caller));
    await d.endpoint('web-1', node.port);
  });
  afterAll(() => d.close());

  it('take the runbook’s way: run, look, list, roll back', async () => {
    const run = await call('olga', 'POST /renewals/run', { body: { endpoint_ids: ['web-1'], policy_id: '100-day' } });
    expect(run).toEqual({
      code: 202,
      jobs: [{ job_id: expect.stringMatching(/^[0-9a-f]{30,32}$/), endpoint_id: 'web-1', status: 'PENDING' }],
    });
    const [{ job_id }] = run.jobs;
    const job = { path: { job_id } };
    expect(await call('otto', 'GET /renewals/{job_id}', job)).toMatchObject({
      status: 'PENDING',
      job_id,
      policy_id: '100-day',
      live: true,
    });
    for (const status of ['pending', 'PENDING', 'Pending'])
      expect(await call('otto', 'GET /renewals', { query: { status } })).toMatchObject({ jobs: [{ job_id }] });
    expect(await call('otto', 'GET /renewals', { query: { status: 'failed' } })).toEqual({ code: 200, jobs: [] });
    expect(await call('otto', 'GET /renewals', { query: { endpoint_id: 'web-1', limit: '1' } })).toMatchObject({
      jobs: [{ job_id }],
    });
    const rolled = await call('olga', 'POST /renewals/{job_id}/rollback', { ...job, body: { reason: 'wrong policy' } });
    expect(rolled).toMatchObject({ job_id, rollback: { reason: 'wrong policy', by: 'olga' } });
  });

  it('hear an agent, and take its answers', async () => {
    const body = { version: '1', now: 1, endpoints: [{ endpoint_id: 'web-1', fingerprint: null, not_after: null }] };
    expect(await call('agent', 'POST /agents/heartbeat', { body })).toMatchObject({
      code: 200,
      tasks: [],
      poll_after_seconds: expect.any(Number),
      now: expect.any(Number),
    });
    const task = { path: { task_id: `${'0f'.repeat(16)}-1` } };
    expect(await call('agent', 'POST /agents/tasks/{task_id}', { ...task, body: { status: 'done' } })).toMatchObject({
      code: 404,
      field: 'task_id',
    });
    expect(await call('wim', 'POST /agents/heartbeat', { body })).toMatchObject({ code: 403 });
  });

  it.each([
    ['POST /renewals/run', { body: {} }, 'endpoint_ids'],
    ['POST /renewals/run', { body: { endpoint_ids: [] } }, 'endpoint_ids'],
    ['POST /renewals/run', { body: { endpoint_ids: ['policy#x'] } }, 'endpoint_ids.0'],
    ['POST /renewals/run', { body: { endpoint_ids: ['web-1'], force: true } }, 'force'],
    ['POST /renewals/run', { body: { endpoint_ids: Array.from({ length: 101 }, (_, n) => `e-${n}`) } }, 'endpoint_ids'],
    ['GET /renewals', { query: { status: 'done' } }, 'status'],
    ['GET /renewals', { query: { next_token: 'x' } }, 'next_token'],
    ['GET /renewals/{job_id}', { path: { job_id: 'x' } }, 'job_id'],
    ['POST /renewals/{job_id}/rollback', { path: { job_id: '0f'.repeat(16) }, body: {} }, 'reason'],
  ] as const)('%s with %j is refused by the name of %s', async (route, parts, field) => {
    expect(await call('alice', route, parts as EventParts)).toMatchObject({ code: 400, field });
  });

  it('of nobody are not there', async () => {
    const path = { job_id: '0f'.repeat(16) };
    expect(await call('otto', 'GET /renewals/{job_id}', { path })).toMatchObject({ code: 404, field: 'job_id' });
    const body = { reason: 'x' };
    expect((await call('olga', 'POST /renewals/{job_id}/rollback', { path, body })).code).toBe(404);
    const run = await call('olga', 'POST /renewals/run', { body: { endpoint_ids: ['nobody'] } });
    expect(run).toMatchObject({ code: 404, field: 'endpoint_ids' });
  });

  const types = { alice: 0, olga: 1, otto: 2, agent: 3, sven: 4 } as const;
  const cells = Object.entries(routes).flatMap(([route, [, reach]]) =>
    Object.entries(types).map(([as, column]) => ({
      route: route.replace(base, ''),
      as,
      may: (reach[column] ?? 'none') !== 'none',
    })),
  );
  it.each(cells)('$as on $route: $may', async ({ route, as, may }) => {
    const path = Object.fromEntries([...route.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, '0f'.repeat(16)]));
    const { code } = await call(as, route, { path });
    if (may) expect([200, 400, 404]).toContain(code);
    else expect(code).toBe(403);
  });

  describe('POST /enroll', () => {
    const enroll = async (body: unknown, headers: Record<string, string> = {}) => {
      const { handler } = await import('../../lambdas/enrolment/enroll.ts');
      const answer = await handler(event('POST /enroll', { body, headers, caller: null }));
      return { ...JSON.parse(answer.body), code: answer.statusCode };
    };
    const good = () => ({ fleet_id: 'web', token: newToken(d.world.randomBytes), csr: newRequest() });

    it('needs no caller, but a token', async () => {
      expect(await enroll(good())).toMatchObject({ code: 403, detail: 'the token lets nobody into this fleet' });
    });
    it.each([
      [{}, 'fleet_id'],
      [{ fleet_id: 'web', token: 'x', csr: 'y' }, 'token'],
      ['{', 'body'],
    ])('with %j is refused by the name of %s', async (body, field) => {
      expect(await enroll(body)).toMatchObject({ code: 400, field });
    });
    it('needs JSON, and a browser the same origin', async () => {
      expect((await enroll(good(), { 'Content-Type': 'text/plain' })).code).toBe(415);
      expect((await enroll(good(), { Origin: 'https://evil.example' })).code).toBe(403);
    });
  });
});
