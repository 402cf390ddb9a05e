/** The principal routes from event to table: what each role gets, what is refused, what stays unchanged. */
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { tableName } from '../../src/names.ts';
import type { PrincipalType } from '../../src/principal/principal.ts';
import { describeWithEmulator } from '../emulator.ts';
import { type EventParts, event } from '../http/event.ts';
import { makeStampKey } from '../stamps.ts';
import { makeDeployment } from './deployment.ts';

const base = 'api/v1/principals';
const files = {
  [`POST /${base}`]: () => import('../../lambdas/principal/create-principal.ts'),
  [`GET /${base}`]: () => import('../../lambdas/principal/list-principals.ts'),
  [`GET /${base}/{principal_id}`]: () => import('../../lambdas/principal/get-principal.ts'),
  [`POST /${base}/{principal_id}/suspend`]: () => import('../../lambdas/principal/suspend-principal.ts'),
  [`POST /${base}/{principal_id}/activate`]: () => import('../../lambdas/principal/activate-principal.ts'),
  'GET /whoami': () => import('../../lambdas/access/show-caller.ts'),
};

describeWithEmulator('principals over HTTP', (emulator) => {
  let d: Awaited<ReturnType<typeof makeDeployment>>;
  const callers = new Map<string, object>();

  const call = async (as: string, route: keyof typeof files, parts: EventParts = {}) => {
    const { handler } = await (files[route] ?? files['GET /whoami'])();
    const caller = callers.get(as);
    const answer = await handler(event(route, { ...parts, caller: caller ?? null }));
    return { status: answer.statusCode, ...JSON.parse(answer.body) };
  };
  const create = (as: string, body: unknown) => call(as, `POST /${base}`, { body });
  const get = (as: string, principal_id: string) => call(as, `GET /${base}/{principal_id}`, { path: { principal_id } });
  const suspend = (as: string, principal_id: string, body: unknown) =>
    call(as, `POST /${base}/{principal_id}/suspend`, { path: { principal_id }, body });
  const activate = (as: string, principal_id: string) =>
    call(as, `POST /${base}/{principal_id}/activate`, { path: { principal_id } });
  const edit = (principal_id: string, UpdateExpression: string, values: Record<string, unknown>) =>
    d.world.documents.send(
      new UpdateCommand({
        TableName: tableName(d.deployment, 'principals'),
        Key: { principal_id },
        UpdateExpression,
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: values,
      }),
    );

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    const environment = {
      ...emulator.env,
      EVERLEAF_NAME: d.deployment.name,
      EVERLEAF_ENVIRONMENT: 'dev',
      STAMP_KEY_ID: await makeStampKey(emulator),
    };
    for (const [name, value] of Object.entries({ ...environment, POWERTOOLS_LOG_LEVEL: 'SILENT' }))
      vi.stubEnv(name, value);
    const people: [string, PrincipalType][] = [
      ['alice', 'admin'],
      ['bob', 'admin'],
      ['olga', 'operator'],
      ['otto', 'auditor'],
      ['wim', 'worker'],
    ];
    for (const [id, type] of people) {
      const { generation, ...caller } = await d.enrol(id, type);
      callers.set(id, { ...caller, generation: String(generation) });
    }
    await d.setAdmins('alice', 'bob');
  });

  it('whoami answers the caller as the gate saw it', async () => {
    expect(await call('wim', 'GET /whoami')).toEqual({
      status: 200,
      principal_id: 'wim',
      principal_type: 'worker',
      serial_number: expect.any(String),
      generation: 0,
    });
  });

  describe('creating', () => {
    it('writes an active principal and answers it', async () => {
      const answer = await create('olga', { principal_id: 'new-01', type: 'worker' });
      expect(answer).toEqual({
        status: 'active',
        principal_id: 'new-01',
        type: 'worker',
        created_at: expect.any(Number),
      });
      const stamp = expect.objectContaining({
        actor: 'olga',
        action: 'principal_created',
        request_id: 'of-the-request',
      });
      expect(await d.row('principals', 'new-01')).toEqual({ ...answer, row_version: 1, stamp });
    });
    it('enters a new admin in the list of admins', async () => {
      await create('alice', { principal_id: 'new-admin', type: 'admin' });
      expect((await d.row('controls', 'admins'))?.principal_ids).toContain('new-admin');
    });
    it('refuses an id that is taken, also to a caller that names itself', async () => {
      expect(await create('alice', { principal_id: 'wim', type: 'admin' })).toMatchObject({ status: 409 });
      expect(await create('alice', { principal_id: 'alice', type: 'worker' })).toMatchObject({ status: 409 });
      expect(await d.row('principals', 'wim')).toMatchObject({ type: 'worker' });
      expect((await d.row('controls', 'admins'))?.principal_ids).not.toContain('wim');
    });
    it.each(['admin-bootstrap', 'admin-emergency'])('keeps %s for bootstrap', async (principal_id) => {
      for (const [as, type] of [
        ['alice', 'admin'],
        ['olga', 'worker'],
      ] as const)
        expect(await create(as, { principal_id, type })).toMatchObject({ status: 400, field: 'principal_id' });
      expect(await d.row('principals', principal_id)).toBeUndefined();
    });
    it('lets no operator make an admin, and no auditor or worker anything', async () => {
      expect(await create('olga', { principal_id: 'x1', type: 'admin' })).toMatchObject({ status: 403 });
      expect(await create('otto', { principal_id: 'x1', type: 'worker' })).toMatchObject({ status: 403 });
      expect(await create('wim', { principal_id: 'x1', type: 'worker' })).toMatchObject({ status: 403 });
      expect(await d.row('principals', 'x1')).toBeUndefined();
    });
    it.each([
      [{ principal_id: '../x', type: 'worker' }, 'principal_id'],
      [{ principal_id: 'Ünïcode', type: 'worker' }, 'principal_id'],
      [{ principal_id: 'x2' }, 'type'],
      [{ principal_id: 'x2', type: 'root' }, 'type'],
      [{ principal_id: 'x2', type: 'worker', status: 'active' }, 'status'],
    ])('refuses %j, naming %s', async (body, field) => {
      expect(await create('alice', body)).toMatchObject({ status: 400, field });
    });
  });

  describe('reading', () => {
    it('is open to admins, operators and auditors', async () => {
      for (const as of ['alice', 'olga', 'otto']) expect(await get(as, 'wim')).toMatchObject({ principal_id: 'wim' });
      expect(await get('alice', 'nobody')).toMatchObject({ status: 404, field: 'principal_id' });
    });
    it('gives a worker itself, and of others not even whether they exist', async () => {
      expect(await get('wim', 'wim')).toMatchObject({ principal_id: 'wim', type: 'worker' });
      const { detail } = await get('wim', 'alice');
      expect(await get('wim', 'nobody')).toMatchObject({ status: 403, detail });
    });
    it.each(['a/b', '..', '%2e%2e', 'ä', 'A', ''])('refuses the path id %j by name', async (id) => {
      expect(await get('alice', id)).toMatchObject({ status: 400, field: 'principal_id' });
    });
    it('shows a row edited to nonsense as suspended', async () => {
      await edit('mistyped-01', 'SET #status = :s', { ':s': 'banana' });
      expect(await get('alice', 'mistyped-01')).toEqual({
        principal_id: 'mistyped-01',
        type: null,
        status: 'suspended',
        suspended_reason: 'record invalid',
      });
    });
  });

  describe('suspending and activating', () => {
    it('keeps the first reason, and comes back as it was', async () => {
      await create('alice', { principal_id: 'sus-01', type: 'service' });
      const first = await suspend('olga', 'sus-01', { reason: ' "stolen" \\ laptop ' });
      expect(first).toMatchObject({ status: 'suspended', suspended_reason: '"stolen" \\ laptop' });
      expect(await suspend('alice', 'sus-01', { reason: 'another' })).toEqual(first);
      expect(await d.row('principals', 'sus-01')).toMatchObject({ suspended_reason: '"stolen" \\ laptop' });
      expect(await activate('olga', 'sus-01')).toEqual({
        principal_id: 'sus-01',
        type: 'service',
        status: 'active',
        created_at: expect.any(Number),
      });
      expect(await d.row('principals', 'sus-01')).not.toHaveProperty('suspended_reason');
      expect(await activate('olga', 'sus-01')).toMatchObject({ status: 'active' });
    });
    it.each([
      [{}, 'reason'],
      [{ reason: '' }, 'reason'],
      [{ reason: 'x'.repeat(10_000) }, 'reason'],
      [{ reason: 'a\u0007' }, 'reason'],
      [{ reason: 'ok', force: 'yes' }, 'force'],
    ])('refuses %j, naming %s', async (body, field) => {
      expect(await suspend('alice', 'wim', body)).toMatchObject({ status: 400, field });
      expect(await d.row('principals', 'wim')).toMatchObject({ status: 'active' });
    });
    it('answers 404 for nobody and makes no row', async () => {
      expect(await suspend('alice', 'nobody', { reason: 'x' })).toMatchObject({ status: 404, field: 'principal_id' });
      expect(await activate('alice', 'nobody')).toMatchObject({ status: 404 });
      expect(await d.row('principals', 'nobody')).toBeUndefined();
    });
    it('lets no operator touch an admin or a row without a type, nor use force', async () => {
      expect(await suspend('olga', 'bob', { reason: 'x' })).toMatchObject({ status: 403 });
      await edit('mistyped-02', 'SET #status = :s', { ':s': 'suspended' });
      expect(await activate('olga', 'mistyped-02')).toMatchObject({ status: 403 });
      expect(await suspend('olga', 'wim', { reason: 'x', force: true })).toMatchObject({ status: 403 });
    });
    it('does not activate a row that names no valid type', async () => {
      await edit('mistyped-03', 'SET #status = :s', { ':s': 'suspended' });
      expect(await activate('alice', 'mistyped-03')).toMatchObject({ status: 409 });
    });
    it('makes a suspended principal of a row with a nonsense status, and activates it', async () => {
      await create('alice', { principal_id: 'odd-01', type: 'worker' });
      await edit('odd-01', 'SET #status = :s', { ':s': 42 });
      expect(await suspend('alice', 'odd-01', { reason: 'set right' })).toMatchObject({
        suspended_reason: 'set right',
      });
      expect(await activate('alice', 'odd-01')).toMatchObject({ status: 'active' });
    });
    it('carries out nothing for a caller suspended or revoked after the gate let it in', async () => {
      await d.enrol('late', 'operator').then((caller) => callers.set('late', { ...caller, generation: '0' }));
      await suspend('alice', 'late', { reason: 'gone' });
      expect(await create('late', { principal_id: 'x3', type: 'worker' })).toMatchObject({ status: 403 });
      expect(await suspend('late', 'wim', { reason: 'x' })).toMatchObject({ status: 403 });
      expect(await activate('late', 'late')).toMatchObject({ status: 403 });
      await activate('alice', 'late');
      callers.set('late', { ...callers.get('late'), generation: '-1' });
      expect(await create('late', { principal_id: 'x3', type: 'worker' })).toMatchObject({ status: 403 });
      callers.set('late', { ...callers.get('late'), generation: '7' });
      expect(await create('late', { principal_id: 'x3', type: 'worker' })).toMatchObject({ status: 403 });
      expect(await d.row('principals', 'x3')).toBeUndefined();
    });
  });

  describe('listing', () => {
    it('gives every principal exactly once, however small the pages', async () => {
      const all = (await call('otto', `GET /${base}`)).principals.map((p: { principal_id: string }) => p.principal_id);
      const paged: string[] = [];
      let next_token: string | undefined;
      do {
        const query = { limit: '2', ...(next_token === undefined ? {} : { next_token }) };
        const page = await call('otto', `GET /${base}`, { query });
        paged.push(...page.principals.map((p: { principal_id: string }) => p.principal_id));
        next_token = page.next_token;
      } while (next_token !== undefined);
      expect(paged).toEqual(all);
      expect(new Set(paged).size).toBe(paged.length);
      expect(all).toContain('wim');
    });
    it('filters by status and type in any case, page by page', async () => {
      await create('alice', { principal_id: 'list-01', type: 'user' });
      await create('alice', { principal_id: 'list-02', type: 'user' });
      await suspend('alice', 'list-02', { reason: 'x' });
      const query = { status: 'SUSPENDED', type: 'User', limit: '1' };
      const { principals } = await call('alice', `GET /${base}`, { query });
      expect(principals).toMatchObject([{ principal_id: 'list-02' }]);
    });
    it.each([
      [{ next_token: 'garbage' }, 'next_token'],
      [{ status: 'gone' }, 'status'],
      [{ type: 'root' }, 'type'],
      [{ limit: '0' }, 'limit'],
      [{ order: 'id' }, 'order'],
    ])('refuses %j, naming %s', async (query, field) => {
      expect(await call('alice', `GET /${base}`, { query })).toMatchObject({ status: 400, field });
    });
    it('is not for workers', async () => {
      expect(await call('wim', `GET /${base}`)).toMatchObject({ status: 403 });
    });
  });
});
