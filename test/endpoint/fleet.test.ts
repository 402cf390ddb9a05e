/** Fleets and their enrolment tokens: told once, kept as hashes, bound to the fleet, revoked at once. */
import { createHash } from 'node:crypto';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import { deleteFleet } from '../../src/endpoint/delete-fleet.ts';
import { findToken } from '../../src/endpoint/find-tokens.ts';
import { getFleet } from '../../src/endpoint/get-fleet.ts';
import { listFleets } from '../../src/endpoint/list-fleets.ts';
import { makeToken } from '../../src/endpoint/make-token.ts';
import { putEndpoint } from '../../src/endpoint/put-endpoint.ts';
import { putFleet } from '../../src/endpoint/put-fleet.ts';
import { revokeToken } from '../../src/endpoint/revoke-token.ts';
import { showFleet } from '../../src/endpoint/show-fleet.ts';
import { type TokenInput, tokenGrammar, tokenIdOf, tokenInputSchema, tokenStatus } from '../../src/endpoint/token.ts';
import { Conflict, NotAllowed, NotFound } from '../../src/errors.ts';
import { tableName } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';

const hour = 3_600_000;

describeWithEmulator('fleets', (emulator) => {
  let d: TestDeployment;
  let olga: Caller;
  let count = 0;
  let id: string;

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    olga = await d.enrol('olga', 'operator');
  });
  beforeEach(() => {
    count += 1;
    id = `fleet-${count}`;
  });

  const settings = { endpoint_ids: ['web-*', 'db-1'], poll_after_seconds: 900, closed: false };
  const put = (more: Partial<typeof settings> = {}, world = d.world) =>
    putFleet(world, { caller: olga, fleet_id: id, input: { ...settings, ...more } });
  const make = (input: Partial<TokenInput> = {}, world = d.world) =>
    makeToken(world, { caller: olga, fleet_id: id, input: { kind: 'single', ...input } });
  const revoke = (token_id: string, fleet_id = id) => revokeToken(d.world, { caller: olga, fleet_id, token_id });
  const remove = () => deleteFleet(d.world, { caller: olga, fleet_id: id });
  const status = async (token: string, now = Date.now()) => {
    const found = await findToken(d.world, tokenIdOf(token));
    return found && tokenStatus(found, await getFleet(d.world, id), now);
  };

  describe('a fleet', () => {
    it('is put, read, put again and listed', async () => {
      expect(await put()).toMatchObject({ created: true, fleet: { fleet_id: id, ...settings } });
      const before = await d.row(`fleet#${id}`);
      expect((await put()).created).toBe(false);
      expect(await d.row(`fleet#${id}`)).toEqual(before);
      await put({ closed: true, poll_after_seconds: 10, endpoint_ids: ['*'] });
      expect(await getFleet(d.world, id)).toMatchObject({ closed: true, poll_after_seconds: 10, endpoint_ids: ['*'] });
      const listed = await listFleets(d.world, { limit: 200 });
      expect(listed.fleets.map(({ fleet_id }) => fleet_id)).toContain(id);
    });
    it('is listed in pages, each once', async () => {
      for (let n = 0; n < 3; n += 1) await putFleet(d.world, { caller: olga, fleet_id: `${id}-${n}`, input: settings });
      const whole = (await listFleets(d.world, { limit: 200 })).fleets.map(({ fleet_id }) => fleet_id);
      const paged: string[] = [];
      let after: string | undefined;
      do {
        const page = await listFleets(d.world, { limit: 2, after });
        paged.push(...page.fleets.map(({ fleet_id }) => fleet_id));
        after = page.next;
      } while (after !== undefined);
      expect(paged).toEqual(whole);
    });
    it('that an endpoint belongs to is not deleted, and the refusal names one', async () => {
      await put();
      const input = { ...endpoint, fleet_id: id };
      await putEndpoint(d.world, { caller: olga, endpoint_id: 'web-1', input });
      await expect(remove()).rejects.toThrow(Conflict);
      await expect(remove()).rejects.toThrow(/web-1/);
      expect(await getFleet(d.world, id)).toMatchObject(settings);
    });
    it('is deleted with its tokens', async () => {
      await put();
      const { token_id } = await make({ kind: 'fleet' });
      expect(await remove()).toEqual({ fleet_id: id, deleted: true });
      await expect(getFleet(d.world, id)).rejects.toThrow(NotFound);
      expect(await d.row(`token#${token_id}`)).toBeUndefined();
      await expect(remove()).rejects.toThrow(NotFound);
    });
    it('is changed by nobody who was suspended meanwhile', async () => {
      const late = await d.enrol(`late-${count}`, 'operator');
      await put();
      await d.suspend(late);
      const as = { caller: late, fleet_id: id };
      await expect(putFleet(d.world, { ...as, input: { ...settings, closed: true } })).rejects.toThrow(NotAllowed);
      await expect(makeToken(d.world, { ...as, input: { kind: 'fleet' } })).rejects.toThrow(NotAllowed);
      await expect(deleteFleet(d.world, as)).rejects.toThrow(NotAllowed);
      expect((await showFleet(d.world, id)).tokens).toEqual([]);
    });
  });

  describe('a token', () => {
    it('is told once; the table has its hash, and nothing shows it again', async () => {
      await put();
      const made = await make();
      expect(made).toEqual({
        token: expect.stringMatching(tokenGrammar),
        token_id: createHash('sha256').update(made.token).digest('hex'),
        fleet_id: id,
        kind: 'single',
        endpoint_ids: settings.endpoint_ids,
        expires_at: expect.any(Number),
      });
      const TableName = tableName(d.world.deployment, 'endpoints');
      const { Items } = await d.world.documents.send(new ScanCommand({ TableName, ConsistentRead: true }));
      expect(JSON.stringify(Items)).toContain(made.token_id);
      expect(JSON.stringify(Items)).not.toContain(made.token);
      const shown = await showFleet(d.world, id);
      expect(JSON.stringify(shown)).not.toContain(made.token);
      expect(shown.tokens).toMatchObject([{ token_id: made.token_id, status: 'open', created_by: 'olga' }]);
    });
    it('of one node holds for an hour; of the fleet it has no end; either as it is told', async () => {
      await put();
      const at = Date.now();
      const world = { ...d.world, now: () => at };
      expect((await make({}, world)).expires_at).toBe(at + hour);
      expect(await make({ kind: 'fleet' }, world)).not.toHaveProperty('expires_at');
      expect((await make({ kind: 'fleet', expires_in_seconds: 60 }, world)).expires_at).toBe(at + 60_000);
      const { token, token_id } = await make({ expires_in_seconds: 120 }, world);
      expect([await status(token, at + 119_999), await status(token, at + 120_000)]).toEqual(['open', 'expired']);
      // Its row goes by itself a month after its end.
      expect((await d.row(`token#${token_id}`))?.expires).toBe(Math.ceil(at / 1_000 + 120 + 30 * 86_400));
    });
    it('is different each time', async () => {
      await put();
      const made = await Promise.all(Array.from({ length: 5 }, () => make()));
      expect(new Set(made.map(({ token }) => token)).size).toBe(5);
    });
    it('may be held to some of the fleet’s endpoints, never to others', async () => {
      await put();
      expect(await make({ endpoint_ids: ['web-a*', 'db-1'] })).toMatchObject({ endpoint_ids: ['web-a*', 'db-1'] });
      for (const beyond of ['*', 'db-*', 'db-2', 'web*'])
        await expect(make({ endpoint_ids: ['web-1', beyond] })).rejects.toMatchObject({ field: 'endpoint_ids' });
    });
    it('is not made for a closed fleet, or one that is not there', async () => {
      await put({ closed: true });
      await expect(make()).rejects.toThrow(Conflict);
      await put({ closed: false });
      const { token } = await make();
      await put({ closed: true });
      expect(await status(token)).toBe('closed');
      expect((await showFleet(d.world, id)).tokens).toHaveLength(1);
      id = 'nowhere';
      await expect(make()).rejects.toThrow(NotFound);
    });
    it('is not made for a fleet that closes in between', async () => {
      await put();
      let closed = false;
      const documents = new Proxy(d.world.documents, {
        get: (target, name) =>
          name !== 'send'
            ? Reflect.get(target, name)
            : async (command: object) => {
                if (command.constructor.name === 'TransactWriteCommand' && !closed) {
                  closed = true;
                  await put({ closed: true });
                }
                return Reflect.apply(target.send, target, [command]);
              },
      });
      await expect(make({}, { ...d.world, documents })).rejects.toThrow(Conflict);
      expect((await showFleet(d.world, id)).tokens).toEqual([]);
    });
    it('is revoked at once, once, and then shown no more', async () => {
      await put();
      const { token, token_id } = await make({ kind: 'fleet' });
      const answer = await revoke(token_id);
      expect(answer).toMatchObject({ token_id, status: 'revoked', revoked_at: expect.any(Number) });
      expect(await status(token)).toBe('revoked');
      expect(await revoke(token_id)).toEqual(answer);
      expect((await d.row(`token#${token_id}`))?.row_version).toBe(2);
      expect((await showFleet(d.world, id)).tokens).toEqual([]);
    });
    it('is revoked through its own fleet only', async () => {
      await put();
      const { token, token_id } = await make();
      const other = `${id}-other`;
      await putFleet(d.world, { caller: olga, fleet_id: other, input: settings });
      await expect(revoke(token_id, other)).rejects.toThrow(NotFound);
      await expect(revoke('0'.repeat(64))).rejects.toThrow(NotFound);
      expect(await status(token)).toBe('open');
    });
    it('lets nobody into a later fleet of the same name, though its row was left behind', async () => {
      await put();
      const { token, token_id } = await make({ kind: 'fleet' });
      const left = await d.row(`token#${token_id}`);
      await remove();
      await d.put(`token#${token_id}`, left ?? {});
      await put();
      expect(await status(token)).toBe('foreign');
    });
  });

  it.each([
    { kind: 'any' },
    { expires_in_seconds: 59 },
    { expires_in_seconds: 397 * 86_400 + 1 },
    { expires_in_seconds: 60.5 },
    { endpoint_ids: [] },
    { endpoint_ids: ['Web'] },
    { token: 'mine' },
  ])('a token is not asked for with %j', (body) => {
    expect(tokenInputSchema.safeParse(body).success).toBe(false);
  });
});

const endpoint = {
  names: ['10.0.0.1'],
  port: 443,
  policy_id: '47-day',
  validate_from: 'function' as const,
  deployer: { kind: 'agent' as const },
};
