/** GET /audit from event to answer: which entries are listed, what is refused, and that nothing in the table stops it. */
import { BatchWriteCommand, DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Draft, type EntryRow, entryHash } from '../../src/audit/entry.ts';
import { auditKeys, tableName } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { adminCaller, event } from '../http/event.ts';
import { makeDeployment } from '../principal/deployment.ts';
import { makeStampKey } from '../stamps.ts';
import { began, draft, rowsOf } from './rows.ts';

const route = 'GET /api/v1/identity/audit';
type Query = Record<string, string | string[]>;

describeWithEmulator('the audit over HTTP', (emulator) => {
  let d: Awaited<ReturnType<typeof makeDeployment>>;
  let stampKey: string;

  const write = async (rows: readonly EntryRow[]) => {
    const table = tableName(d.deployment, 'audit');
    for (let start = 0; start < rows.length; start += 25) {
      const puts = rows
        .slice(start, start + 25)
        .map((row) => ({ PutRequest: { Item: { chain: auditKeys.chain, ...row } } }));
      await d.world.documents.send(new BatchWriteCommand({ RequestItems: { [table]: puts } }));
    }
  };
  const edit = (sequence: number, name: string, value: unknown) =>
    d.world.documents.send(
      new UpdateCommand({
        TableName: tableName(d.deployment, 'audit'),
        Key: { chain: auditKeys.chain, sequence },
        UpdateExpression: 'SET #name = :value',
        ExpressionAttributeNames: { '#name': name },
        ExpressionAttributeValues: { ':value': value },
      }),
    );
  const list = async (query: Query = {}, principal_type = 'auditor') => {
    const { handler } = await import('../../lambdas/audit/list-audit.ts');
    const answer = await handler(event(route, { query, caller: { ...adminCaller, principal_type } }));
    return { status: answer.statusCode, bytes: Buffer.byteLength(answer.body), ...JSON.parse(answer.body) };
  };
  const listAll = async (query: Query) => {
    const sequences: number[] = [];
    let pages = 0;
    let next_token: string | undefined;
    do {
      const page = await list({ ...query, ...(next_token === undefined ? {} : { next_token }) });
      expect(page.status).toBe(200);
      sequences.push(...page.entries.map(({ sequence }: { sequence: number }) => sequence));
      next_token = page.next_token;
      pages += 1;
    } while (next_token !== undefined && pages < 200);
    return { sequences, pages };
  };

  beforeAll(async () => {
    stampKey = await makeStampKey(emulator);
  });
  // The world of a function is built once: another deployment needs its module anew.
  beforeEach(async () => {
    d = await makeDeployment(emulator);
    vi.resetModules();
    const environment = { ...emulator.env, EVERLEAF_NAME: d.deployment.name, EVERLEAF_ENVIRONMENT: 'dev' };
    for (const [name, value] of Object.entries({
      ...environment,
      STAMP_KEY_ID: stampKey,
      POWERTOOLS_LOG_LEVEL: 'SILENT',
    }))
      vi.stubEnv(name, value);
  });

  const some = (): Draft[] =>
    Array.from({ length: 23 }, (_, index) =>
      draft(index + 1, {
        action: index % 3 === 0 ? 'principal_suspended' : 'principal_created',
        actor: index % 4 === 0 ? 'alice' : 'bob',
      }),
    );
  const descending = (keep: (sequence: number) => boolean) =>
    Array.from({ length: 23 }, (_, index) => 23 - index).filter(keep);

  it('answers an empty list before anything happened', async () => {
    expect(await list()).toMatchObject({ status: 200, entries: [] });
    expect(await list({ action: 'principal_suspended' })).toMatchObject({ status: 200, entries: [] });
  });

  it('answers entries as they were hashed, the newest first', async () => {
    const rows = rowsOf(some());
    await write(rows);
    const { entries, next_token } = await list();
    expect(entries).toEqual([...rows].reverse().map(({ entry, hash }) => ({ ...JSON.parse(entry), hash })));
    expect(next_token).toBeUndefined();
  });

  it.each([
    [{}, () => true],
    [{ action: 'principal_suspended' }, (n: number) => n % 3 === 1],
    [{ actor: 'alice' }, (n: number) => n % 4 === 1],
    [{ action: 'principal_suspended', actor: 'alice' }, (n: number) => n % 12 === 1],
    [{ subject: 'principals/worker-7' }, (n: number) => n === 7],
    [{ since: String(began + 10_000) }, (n: number) => n >= 10],
    [{ since: String(began + 10_000), action: 'principal_suspended' }, (n: number) => n >= 10 && n % 3 === 1],
    [{ since: '30m' }, () => false],
    [{ action: 'principal' }, () => false],
  ])('answers for %j each entry that fits exactly once, however small the pages', async (query, keep) => {
    await write(rowsOf(some()));
    for (const limit of ['1', '4', '200'])
      expect((await listAll({ ...query, limit })).sequences, limit).toEqual(descending(keep));
  });

  it('answers entries of a batch to who asks for one of its rows', async () => {
    const changes = ['01aa', '01bb'].map((key) => ({
      table: 'certificates',
      key,
      set: { revoked: true },
      removed: [],
    }));
    await write(rowsOf([draft(1), draft(2, { subject: 'certificates/*', details: { changes } })]));
    expect(await list({ subject: 'certificates/01bb' })).toMatchObject({ entries: [{ sequence: 2 }] });
    expect(await list({ subject: 'certificates/*' })).toMatchObject({ entries: [{ sequence: 2 }] });
    expect(await list({ subject: 'certificates/01' })).toMatchObject({ entries: [] });
  });

  it('ends a page before it grows beyond what a function may answer', async () => {
    const reason = '"\\'.repeat(30_000);
    await write(rowsOf(Array.from({ length: 30 }, (_, index) => draft(index + 1, { details: { reason } }))));
    const page = await list({ limit: '200' });
    expect(page.entries.length).toBeGreaterThan(1);
    expect(page.bytes).toBeLessThan(3_000_000);
    expect((await listAll({ limit: '200' })).sequences).toHaveLength(30);
    expect((await listAll({ action: 'principal_created' })).sequences).toHaveLength(30);
  });

  it('reads no more of a long chain than it is asked for', async () => {
    const query = vi.spyOn(DynamoDBDocumentClient.prototype, 'send');
    await write(rowsOf(Array.from({ length: 700 }, (_, index) => draft(index + 1))));
    query.mockClear();
    expect((await list({ since: String(began + 690_000) })).entries).toHaveLength(11);
    const answers = await Promise.all(query.mock.results.map(({ value }) => value));
    expect(answers.map(({ Items }) => Items?.length)).toEqual([151]);
    query.mockRestore();
  });

  it('answers a short page and where to go on when a filter finds little', async () => {
    await write(
      rowsOf(Array.from({ length: 2_700 }, (_, index) => draft(index + 1, { actor: index === 3 ? 'rare' : 'bob' }))),
    );
    const page = await list({ actor: 'rare' });
    expect(page).toMatchObject({ status: 200, entries: [], next_token: expect.any(String) });
    expect(await listAll({ actor: 'rare' })).toEqual({ sequences: [4], pages: 2 });
  });

  describe('of a table that somebody edited', () => {
    const byHand = async () => {
      const rows = rowsOf(some());
      await write(rows);
      await edit(5, 'entry', rows[4]?.entry.replace('worker-5', 'worker-6'));
      await edit(6, 'entry', rows[6]?.entry);
      await edit(7, 'entry', 7);
      await edit(8, 'entry', '{');
      await edit(9, 'hash', null);
      for (const sequence of [-3, 0, 11.5, 40]) await edit(sequence, 'action', 'principal_suspended');
    };
    const damaged = [40, 11.5, 9, 8, 7, 6, 5, 0, -3];

    it('says which rows are no entries, and shows the others', async () => {
      await byHand();
      const { entries } = await list();
      const found = entries.filter((one: object) => 'damaged' in one);
      expect(found.map(({ sequence }: { sequence: number }) => sequence)).toEqual(damaged);
      expect(entries).toHaveLength(23 + 4);
    });
    it('comes to an end on every page size, with each whole entry once', async () => {
      await byHand();
      const whole = descending((n) => !damaged.includes(n));
      for (const limit of ['1', '2', '3', '50']) {
        const { sequences } = await listAll({ limit });
        expect(
          sequences.filter((n) => !damaged.includes(n)),
          limit,
        ).toEqual(whole);
      }
    });
    it('is not cut short by an entry planted with an old time', async () => {
      const old = Array.from({ length: 23 }, (_, n) => draft(n + 1));
      const rows = rowsOf([...old, draft(24)]);
      const [planted] = rows.slice(-1).map((row) => {
        const entry = row.entry.replace(/"appended_at":\d+/, '"appended_at":1');
        return { ...row, entry, hash: entryHash(entry) };
      });
      await write([...rows.slice(0, 23), planted ?? expect.fail()]);
      for (const action of [{}, { action: 'principal_created' }])
        expect((await listAll({ since: String(began), limit: '4', ...action })).sequences).toEqual(
          descending(() => true),
        );
    });
    it('by action answers no entry of another partition, action or actor', async () => {
      await byHand();
      await d.put('audit', { chain: 'other', sequence: 3, action: 'principal_suspended', entry: 'x', hash: 'x' });
      await edit(2, 'action', 'principal_suspended');
      const { entries } = await list({ action: 'principal_suspended' });
      const shown = entries.filter((one: object) => !('damaged' in one));
      expect(shown.map(({ sequence }: { sequence: number }) => sequence)).toEqual([22, 19, 16, 13, 10, 4, 1]);
    });
  });

  it.each([
    [{ action: '' }, 'action'],
    [{ action: 'out-of-band' }, 'action'],
    [{ action: 'Principal_created' }, 'action'],
    [{ subject: 'worker-1' }, 'subject'],
    [{ subject: '' }, 'subject'],
    [{ actor: 'x'.repeat(513) }, 'actor'],
    [{ since: 'yesterday' }, 'since'],
    [{ since: ['1h', '2h'] }, 'since'],
    [{ limit: '0' }, 'limit'],
    [{ limit: '201' }, 'limit'],
    [{ next_token: 'garbage' }, 'next_token'],
    [{ next_token: Buffer.from('["audit",1e300]').toString('base64url') }, 'next_token'],
    [{ next_token: Buffer.from('["principals","w"]').toString('base64url') }, 'next_token'],
    [{ from: '1' }, 'from'],
  ])('refuses %j, naming %s', async (query, field) => {
    expect(await list(query)).toMatchObject({ status: 400, field });
  });

  it('is for admins, operators and auditors', async () => {
    for (const type of ['admin', 'operator', 'auditor']) expect(await list({}, type)).toMatchObject({ status: 200 });
    for (const type of ['worker', 'service', 'user']) expect(await list({}, type)).toMatchObject({ status: 403 });
  });
});
