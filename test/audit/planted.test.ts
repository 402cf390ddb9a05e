import { DeleteItemCommand, DynamoDBServiceException, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { beforeEach, expect, it } from 'vitest';
import { append } from '../../src/audit/append.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import type { Draft, Entry } from '../../src/audit/entry.ts';
import type { AuditWorld } from '../../src/audit/world.ts';
import { auditKeys } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeChain, type Step, type TestChain } from './chain.ts';

const draft = (id: string, more: Partial<Draft> = {}): Draft => ({
  event_ids: [`stream:${id}`],
  time: 1,
  action: 'principal_suspended',
  actor: 'admin-1',
  request_id: `request-${id}`,
  subject: `principals/${id}`,
  details: {},
  ...more,
});
const drafts = (prefix: string, count: number, more: Partial<Draft> = {}): Draft[] =>
  Array.from({ length: count }, (_, n) => draft(`${prefix}-${n}`, more));
const eventsOf = (all: readonly { readonly event_ids: readonly string[] }[]): string[] =>
  all.flatMap(({ event_ids }) => event_ids);
const own = (entries: readonly Entry[]): Entry[] => entries.filter(({ action }) => action !== 'entry_forged');

/** What an item, a request and a transaction may have, of bytes. */
const fat = 390_000;
const mostTransaction = 4_000_000;

describeWithEmulator('appending beside what somebody planted', (emulator) => {
  let chain: TestChain;
  beforeEach(async () => {
    chain = await makeChain(emulator);
  });
  const weights: number[] = [];
  const weighing: Step = (_, go, command) => {
    if (command instanceof TransactWriteCommand) weights.push(Buffer.byteLength(JSON.stringify(command.input)));
    return go();
  };
  const seeded = async (count: number): Promise<AuditWorld> => {
    const world = chain.writer({ step: weighing });
    for (let n = 0; n < count; n += 1) await append(world, [draft(`seed-${n}`)]);
    weights.length = 0;
    return world;
  };
  /** A row at a place that JavaScript has no number for. */
  const plant = (sequence: string, more: Record<string, { S: string }> = {}) =>
    chain.client.send(
      new PutItemCommand({
        TableName: chain.TableName,
        Item: { chain: { S: auditKeys.chain }, sequence: { N: sequence }, ...more },
      }),
    );
  /** The entries, in spite of what lies between and after them. */
  const entriesAmong = async (): Promise<Entry[]> => {
    for (const { sequence, seal, ...row } of await chain.items())
      if (!Array.isArray(row.nodes) || String(row.entry).startsWith('xx')) await chain.remove('main', Number(sequence));
    return chain.entries();
  };

  it('is blocked by no row that only looks as if it stood in the place of an entry', async () => {
    const ahead = await seeded(2);
    const behind = chain.writer();
    await append(behind, []);
    await append(ahead, [draft('other')]);
    await coverWithHead(ahead, await append(ahead, []));
    const strange = Array.from({ length: 30 }, (_, n) => [
      `${n + 3}.${'0'.repeat(34)}1`,
      `${n + 3}.${'9'.repeat(34)}`,
      `${n + 3}.5`,
    ]).flat();
    for (const sequence of strange) await plant(sequence, { hash: { S: 'x' } });
    const all = drafts('after', 4);
    for (const [n, world] of [ahead, behind, chain.writer(), ahead].entries()) await append(world, all.slice(n, n + 1));
    const places = (await chain.items()).filter(({ nodes }) => nodes !== undefined);
    expect(places.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(eventsOf(places.map(({ entry }) => JSON.parse(String(entry)))).slice(3)).toEqual(eventsOf(all));
    await coverWithHead(ahead, await append(ahead, []));
    expect(Math.max(...[...chain.kept.values()].map(({ size }) => size))).toBe(7);
    expect(chain.alarms).toEqual([]);
  });

  it('passes over large rows between two entries', async () => {
    const world = await seeded(3);
    const between = Array.from({ length: 6 }, (_, n) => `3.${'0'.repeat(n + 20)}1`);
    for (const sequence of between) await plant(sequence, { pad: { S: 'x'.repeat(fat) } });
    await append(chain.writer(), [draft('cold')]);
    await append(world, [draft('warm')]);
    for (const sequence of between)
      await chain.client.send(
        new DeleteItemCommand({
          TableName: chain.TableName,
          Key: { chain: { S: auditKeys.chain }, sequence: { N: sequence } },
        }),
      );
    expect(eventsOf(await chain.entries()).slice(3)).toEqual(['stream:cold', 'stream:warm']);
  });

  it('neither moves nor alarms for a row far away', async () => {
    const world = await seeded(3);
    for (const sequence of ['1000000000000', '9007199254740991', '1152921504606846977', '9.9E125'])
      await plant(sequence, { entry: { S: 'xx' } });
    const cold = await append(chain.writer(), [draft('cold')]);
    expect(cold.size).toBe(4);
    await coverWithHead(world, await append(world, [draft('warm')]));
    expect(chain.alarms).toEqual([]);
    expect([...chain.kept.values()].map(({ size }) => size)).toEqual([5]);
  });

  it.each(['warm', 'cold'])('goes on, %s, where large rows take many of the next places', async (temperature) => {
    const world = await seeded(4);
    for (let n = 5; n <= 40; n += 1) await chain.put({ chain: 'main', sequence: n, entry: 'x'.repeat(fat) });
    const all = drafts('after', 15);
    await append(temperature === 'warm' ? world : chain.writer({ step: weighing }), all);
    expect(eventsOf(own(await entriesAmong())).slice(4)).toEqual(eventsOf(all));
    expect(Math.max(...weights)).toBeLessThan(1_000_000);
  });

  it('tells once of many rows in one entry, and of one that comes later in another', async () => {
    const world = await seeded(4);
    for (let n = 5; n <= 40; n += 1) await chain.put({ chain: 'main', sequence: n, entry: 'xx' });
    await append(world, [draft('one')]);
    await append(chain.writer(), [draft('two')]);
    const forged = (await entriesAmong()).filter(({ action }) => action === 'entry_forged');
    const rows = forged.flatMap(({ details: { rows = [], ...single }, subject }) =>
      Array.isArray(rows) && rows.length > 0 ? rows : [{ sequence: Number(subject.slice(6)), ...single }],
    );
    const sequences = rows.map(({ sequence }: { sequence: number }) => sequence);
    expect(new Set(sequences).size).toBe(sequences.length);
    expect(sequences.slice(0, 10)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect(forged[0]).toMatchObject({ subject: 'audit/*', actor: 'unknown' });
    expect(rows[0]).toEqual({ sequence: 5, sha256: expect.any(String), names: ['chain', 'entry', 'sequence'] });
    expect(forged.length).toBeLessThanOrEqual(4);
  });

  it('reaches behind what it has looked at', async () => {
    const world = await seeded(4);
    for (const sequence of [9, 30, 31, 44]) await chain.put({ chain: 'main', sequence, entry: 'xx' });
    const all = drafts('after', 48);
    await append(world, all);
    expect(eventsOf(own(await chain.entries())).slice(4)).toEqual(eventsOf(all));
  });

  it.each<[string, Record<string, unknown>]>([
    ['characters of two units', { entry: `x${'😀'.repeat(5_000)}`, hash: '😀'.repeat(300) }],
    ['bytes', { entry: new Uint8Array(5_000), hash: new Uint8Array([1]) }],
    ['few characters', { entry: '', hash: 'x'.repeat(512) }],
    ['sets', { entry: new Set(['a']), hash: new Set([1]) }],
    ['nothing and a truth', { entry: null, hash: true }],
    ['numbers', { entry: 1e-7, hash: -12345678901234567890n }],
  ])('replaces a row of %s', async (_, more) => {
    const world = await seeded(3);
    await chain.put({ chain: 'main', sequence: 4, ...more });
    await append(world, [draft('after')]);
    expect((await chain.entries()).slice(3).map(({ action }) => action)).toEqual([
      'entry_forged',
      'principal_suspended',
    ]);
  });

  it('enters events that somebody marked as entered at length', async () => {
    const world = await seeded(3);
    const all = drafts('p', 24);
    for (let n = 0; n < 24; n += 1)
      await chain.put({ chain: auditKeys.seen(`stream:p-${n}`), sequence: 0, at: 'x'.repeat(fat), expires: 1 });
    await append(world, all);
    expect(eventsOf(await chain.entries()).slice(3)).toEqual(eventsOf(all));
    expect(Math.max(...weights)).toBeLessThan(1_000_000);
  });

  it('counts bytes, not characters', async () => {
    const world = await seeded(1);
    const all = drafts('wide', 36, { details: { text: '漢'.repeat(90_000) } });
    await append(world, all);
    expect(eventsOf(await chain.entries()).slice(1)).toEqual(eventsOf(all));
    expect(Math.max(...weights)).toBeLessThan(mostTransaction);
  });

  it('counts names of events, too', async () => {
    const world = await seeded(1);
    const all = Array.from({ length: 3 }, (_, n) =>
      draft(`named-${n}`, { event_ids: Array.from({ length: 30 }, (_, m) => `${'漢'.repeat(300)}-${n}-${m}`) }),
    );
    await append(world, all);
    expect(eventsOf(await chain.entries()).slice(1)).toEqual(eventsOf(all));
  });

  /** As DynamoDB refuses what it takes in no form: the request, or an item of it. */
  const refusing =
    (what: RegExp, error = 'ValidationException'): Step =>
    (_, go, command) => {
      if (command instanceof TransactWriteCommand && what.test(JSON.stringify(command.input)))
        throw new DynamoDBServiceException({ name: error, $fault: 'client', $metadata: {}, message: 'no' });
      return go();
    };

  it('enters the least of a change that DynamoDB refuses in every form, and all of the others', async () => {
    const world = chain.writer({ step: refusing(/poison/) });
    const all = drafts('r', 20).map((one, n) => (n === 13 ? { ...one, details: { text: 'poison' } } : one));
    await append(world, all);
    await append(world, all);
    const entries = await chain.entries();
    expect(eventsOf(entries)).toEqual(eventsOf(all));
    expect(entries[13]).toMatchObject({
      action: 'record_unreadable',
      actor: 'unknown',
      request_id: null,
      subject: 'principals/r-13',
      details: { error: 'ValidationException', action: 'principal_suspended', sha256: expect.any(String) },
    });
    expect(entries.filter(({ action }) => action === 'record_unreadable')).toHaveLength(1);
    expect(chain.alarms).toContain('a change could not be entered as it is');
  });

  it('takes apart what it had merged before it gives up any of it', async () => {
    const world = chain.writer({ step: refusing(/poison/) });
    const all = Array.from({ length: 8 }, (_, n) =>
      draft(`m-${n}`, {
        request_id: 'one',
        details: {
          changes: [{ table: 'certificates', key: n === 5 ? 'poison' : `${n}`, version: 2, set: {}, removed: [] }],
        },
      }),
    );
    await append(world, all);
    const entries = await chain.entries();
    expect(eventsOf(entries)).toEqual(eventsOf(all));
    expect(entries.find(({ event_ids }) => event_ids.includes('stream:m-5'))).toMatchObject({
      action: 'record_unreadable',
      event_ids: ['stream:m-5'],
    });
  });

  it('enters an event whose name no key takes, once', async () => {
    const long = draft('x', { event_ids: [`stream:${'y'.repeat(3_000)}`] });
    const world = chain.writer({ step: refusing(/y{2000}/) });
    for (let n = 0; n < 3; n += 1) await append(world, [draft('before'), long, draft('after')]);
    const entries = await chain.entries();
    expect(entries.map(({ action }) => action)).toEqual([
      'principal_suspended',
      'record_unreadable',
      'principal_suspended',
    ]);
  });

  it('throws what DynamoDB says where it refuses everything', async () => {
    const world = chain.writer({ step: refusing(/./) });
    await expect(append(world, drafts('n', 5))).rejects.toMatchObject({ name: 'ValidationException' });
  });
});
