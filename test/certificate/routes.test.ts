/** The certificate routes from event to table: what is answered, what is refused by field, what stays unchanged. */
import { beforeAll, expect, it, vi } from 'vitest';
import type { Sign } from '../../src/authority/sign-request.ts';
import { ecKey, request, rsaKey } from '../authority/requests.ts';
import { describeWithEmulator } from '../emulator.ts';
import { type EventParts, event } from '../http/event.ts';
import { makeStampKey } from '../stamps.ts';
import { makeDeployment, newRequest, type TestDeployment } from './deployment.ts';

const signer = vi.hoisted((): { sign: Sign } => ({
  sign: () => Promise.reject(new Error('no signer')),
}));
vi.mock('../../src/aws/sign-through-function.ts', () => ({
  signThroughFunction: (): Sign => (order) => signer.sign(order),
}));

const base = '/api/v1/certificates';
type Route = () => Promise<{ handler: (input: unknown) => Promise<{ statusCode: number; body: string }> }>;
const files: Readonly<Record<string, Route>> = {
  [`POST ${base}`]: () => import('../../lambdas/certificate/issue-certificate.ts'),
  [`GET ${base}`]: () => import('../../lambdas/certificate/list-certificates.ts'),
  [`GET ${base}/{serial_number}`]: () => import('../../lambdas/certificate/get-certificate.ts'),
  [`POST ${base}/{serial_number}/revoke`]: () => import('../../lambdas/certificate/revoke-certificate.ts'),
  [`POST ${base}/renew`]: () => import('../../lambdas/certificate/renew-certificate.ts'),
};

describeWithEmulator('certificates over HTTP', (emulator) => {
  let d: TestDeployment;
  const callers = new Map<string, object>();

  const call = async (as: string, route: string, parts: EventParts = {}) => {
    const file = files[route];
    if (file === undefined) throw new Error(route);
    const { handler } = await file();
    const answer = await handler(event(route, { ...parts, caller: callers.get(as) ?? null }));
    return { status: answer.statusCode, body: JSON.parse(answer.body) };
  };
  const issue = (as: string, body: unknown) => call(as, `POST ${base}`, { body });
  const get = (as: string, serial_number: string) =>
    call(as, `GET ${base}/{serial_number}`, { path: { serial_number } });
  const list = (as: string, query: Record<string, string>) => call(as, `GET ${base}`, { query });
  const revoke = (as: string, serial_number: string, body: unknown) =>
    call(as, `POST ${base}/{serial_number}/revoke`, { path: { serial_number }, body });

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    signer.sign = d.world.sign;
    const environment = {
      ...emulator.env,
      EVERLEAF_NAME: d.world.deployment.name,
      EVERLEAF_ENVIRONMENT: 'dev',
      STAMP_KEY_ID: await makeStampKey(emulator),
    };
    for (const [name, value] of Object.entries({ ...environment, POWERTOOLS_LOG_LEVEL: 'SILENT' }))
      vi.stubEnv(name, value);
    for (const type of ['admin', 'operator', 'auditor', 'worker'] as const) {
      const caller = await d.enrol(`${type}-1`, type);
      callers.set(type, { ...caller, generation: String(caller.generation) });
    }
    await d.register('worker-2', 'worker');
  });

  it('issues, shows, lists and revokes', async () => {
    const issued = await issue('operator', { principal_id: 'worker-2', csr: newRequest(), lifetime_days: 30 });
    expect(issued.status).toBe(201);
    expect(Object.keys(issued.body).sort()).toEqual(['chain', 'expires_at', 'pem', 'serial_number']);
    const { serial_number, expires_at } = issued.body;
    expect(await get('auditor', serial_number)).toMatchObject({
      status: 200,
      body: { serial_number, principal_id: 'worker-2', status: 'active', expires_at, generation: 0 },
    });
    const due = await list('auditor', { expiring_within: '31d' });
    expect(due.body.certificates.map((one: { serial_number: string }) => one.serial_number)).toContain(serial_number);
    const revoked = await revoke('operator', serial_number, { reason: 'key_compromise' });
    expect(revoked).toMatchObject({
      status: 200,
      body: { serial_number, status: 'revoked', revocation_reason: 'key_compromise', also_revoked: [] },
    });
    expect((await get('admin', serial_number)).body).toMatchObject({
      status: 'revoked',
      revocation_reason: 'key_compromise',
    });
    expect((await list('auditor', { principal_id: 'worker-2', status: 'ACTIVE' })).body).toEqual({ certificates: [] });
  });

  it('pages with its token', async () => {
    for (let n = 0; n < 3; n += 1) await issue('admin', { principal_id: 'worker-2', csr: newRequest() });
    const first = await list('admin', { principal_id: 'worker-2', status: 'active', limit: '2' });
    expect(first.body.certificates).toHaveLength(2);
    const rest = await list('admin', {
      principal_id: 'worker-2',
      status: 'active',
      limit: '2',
      next_token: first.body.next_token,
    });
    expect(rest.body.certificates).toHaveLength(1);
    expect(rest.body).not.toHaveProperty('next_token');
  });

  it.each([
    ['no csr', { principal_id: 'worker-2' }, 'csr'],
    ['garbage for a csr', { principal_id: 'worker-2', csr: 'garbage' }, 'csr'],
    ['a number for a csr', { principal_id: 'worker-2', csr: 5 }, 'csr'],
    ['a weak key', { principal_id: 'worker-2', csr: request({ privateKey: rsaKey(1024) }) }, 'csr'],
    ['an odd curve', { principal_id: 'worker-2', csr: request({ privateKey: ecKey('secp256k1') }) }, 'csr'],
    ['398 days', { principal_id: 'worker-2', csr: newRequest(), lifetime_days: 398 }, 'lifetime_days'],
    ['a slash in the id', { principal_id: 'worker/2', csr: newRequest() }, 'principal_id'],
    ['an unknown field', { principal_id: 'worker-2', csr: newRequest(), sans: ['a'] }, 'sans'],
  ])('refuses to issue for %s, by field', async (_what, body, field) => {
    const before = await d.certificates('worker-2');
    expect(await issue('admin', body)).toMatchObject({ status: 400, body: { status: 400, field } });
    expect(await d.certificates('worker-2')).toHaveLength(before.length);
  });

  it('refuses what is no serial number, no reason, or not there', async () => {
    for (const serial of ['../x', '01FF', '00ff', '01%2f', 'ж']) expect((await get('admin', serial)).status).toBe(400);
    expect(await get('admin', '01abcdef')).toMatchObject({ status: 404, body: { field: 'serial_number' } });
    const { body } = await issue('admin', { principal_id: 'worker-1', csr: newRequest() });
    for (const reason of ['Key_Compromise', 'remove_from_crl', '', undefined, 5])
      expect(await revoke('admin', body.serial_number, { reason })).toMatchObject({
        status: 400,
        body: { field: 'reason' },
      });
    expect(await revoke('admin', body.serial_number, { reason: 'certificate_hold' })).toMatchObject({ status: 200 });
    expect(await list('admin', {})).toMatchObject({ status: 400, body: { field: 'principal_id' } });
    expect(await list('admin', { expiring_within: '1y' })).toMatchObject({
      status: 400,
      body: { field: 'expiring_within' },
    });
  });

  it('tells a principal without certificates from one that is not there, but not to who may not ask', async () => {
    await d.register('worker-3', 'worker');
    expect(await list('auditor', { principal_id: 'worker-3' })).toEqual({ status: 200, body: { certificates: [] } });
    expect(await list('auditor', { principal_id: 'wroker-3' })).toMatchObject({
      status: 404,
      body: { field: 'principal_id', detail: 'there is no principal wroker-3' },
    });
    expect((await list('worker', { principal_id: 'wroker-3' })).status).toBe(403);
  });

  it('lets each role do its own', async () => {
    const csr = newRequest();
    expect((await issue('auditor', { principal_id: 'worker-2', csr })).status).toBe(403);
    expect((await issue('worker', { principal_id: 'worker-1', csr })).status).toBe(403);
    expect((await issue('operator', { principal_id: 'admin-1', csr })).status).toBe(403);
    const worker = await list('worker', { principal_id: 'worker-1' });
    expect(worker.body.certificates.length).toBeGreaterThan(0);
    expect((await list('worker', { principal_id: 'worker-2' })).status).toBe(403);
    expect((await call('worker', `POST ${base}/renew`, { body: { csr, force: true } })).status).toBe(403);
    expect((await call('worker', `POST ${base}/renew`, { body: { csr } })).status).toBe(409);
    expect((await call('operator', `POST ${base}/renew`, { body: { csr, force: true } })).status).toBe(201);
  });
});
