import {
  DeleteItemCommand,
  DescribeTableCommand,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import { z } from 'zod';
import type { Image } from '../../src/audit/attribute.ts';
import { enter } from '../../src/audit/enter.ts';
import type { Entry } from '../../src/audit/entry.ts';
import { judgeBatch } from '../../src/audit/judge-batch.ts';
import type { AuditWorld } from '../../src/audit/world.ts';
import { auditKeys, tableName } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { testStampKey } from '../stamps.ts';
import { createTables } from '../tables.ts';
import { makeChain, type Step, type TestChain } from './chain.ts';
import { edited, productWrites, streamRecords } from './stream-records.ts';

/** What the function behind the streams does with a batch. */
const hear = async (world: AuditWorld, records: readonly unknown[]): Promise<void> =>
  enter(world, await judgeBatch(world, records));

/** Numbers below 1 that a seed repeats (mulberry32). */
const randomFrom = (seed: number) => {
  let state = seed;
  return (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};
type Random = ReturnType<typeof randomFrom>;
const below = (random: Random, end: number): number => Math.floor(random() * end);

/** What happened to a row, and which record of the stream tells of it; `silent` where no entry is to. */
interface Happening {
  readonly row: string;
  readonly record: unknown;
  readonly event_id: string;
  readonly action: string;
}

/** Histories of rows, dealt to shards as DynamoDB deals them: a row's records to one shard, in their order. */
const makeHistory = (deployment: TestChain['deployment'], random: Random, shards: number): Happening[][] => {
  const product = productWrites(deployment, testStampKey);
  const record = streamRecords(deployment);
  const at = Date.now();
  const history: Happening[][] = Array.from({ length: shards }, () => []);
  const rows = new Map<string, Image | undefined>();
  const happens = (shard: number, key: string, after: Image | undefined, action: string): void => {
    const made = record('principals', rows.get(key), after, { at });
    rows.set(key, after);
    history[shard]?.push({ row: key, record: made, event_id: `stream:${made.eventID}`, action });
  };
  for (let n = 0; n < 60; n += 1) {
    const shard = below(random, shards);
    const key = `worker-${shard}-${below(random, 3)}`;
    const before = rows.get(key);
    const write = (action: string, set: Record<string, unknown>) =>
      product('principals', key, before, { action, at, set, author: { actor: 'admin-1', request_id: `r${n % 7}` } });
    const dice = random();
    if (before === undefined)
      happens(shard, key, write('principal_created', { type: 'worker', status: 'active', n }), 'principal_created');
    else if (dice < 0.4) happens(shard, key, write('principal_suspended', { status: `s${n}` }), 'principal_suspended');
    else if (dice < 0.6) happens(shard, key, write('certificate_issued', { live_serials: [`${n}`] }), 'silent');
    else if (dice < 0.75) happens(shard, key, edited(before, { status: { S: `by hand ${n}` } }), 'out_of_band');
    else if (dice < 0.85) {
      const after = edited(before, { status: { S: `forged ${n}` }, row_version: { S: 'x' } }, ['stamp']);
      happens(shard, key, after, before.stamp === undefined ? 'out_of_band' : 'stamp_forged');
    } else if (dice < 0.95) {
      happens(shard, key, write('principal_deleted', {}), 'silent');
      happens(shard, key, undefined, 'principal_deleted');
    } else {
      const eventID = `poison-${n}`;
      history[shard]?.push({
        row: key,
        record: { eventID, dynamodb: 'x' },
        event_id: `stream:${eventID}`,
        action: 'record_unreadable',
      });
    }
  }
  return history;
};

/** Deliveries of Lambda's: a batch comes again until it was handled, sometimes when it was, and while it still is. */
const deliver = async (
  chain: TestChain,
  random: Random,
  shard: readonly Happening[],
  environments: AuditWorld[],
): Promise<void> => {
  const flaky: Step = async (name, go) => {
    const dice = random();
    if (dice < 0.06) throw new Error(`${name} failed, and did not happen`);
    if (dice < 0.2) await new Promise((resolve) => setTimeout(resolve, below(random, 15)));
    const answer = await go();
    if (dice > 0.94) throw new Error(`${name} failed, and happened`);
    return answer;
  };
  const environment = (): AuditWorld => {
    const warm = environments[below(random, 4)];
    if (warm !== undefined) return warm;
    const cold = chain.writer({ step: flaky });
    environments.push(cold);
    return cold;
  };
  const invoke = async (batch: readonly Happening[]): Promise<boolean> => {
    const world = environment();
    try {
      await hear(
        world,
        batch.map((one) => one.record),
      );
      return true;
    } catch (error) {
      expect(String(error)).toMatch(/failed, and/);
      return false;
    }
  };
  const zombies: Promise<boolean>[] = [];
  for (let from = 0; from < shard.length; ) {
    let batch = shard.slice(from, from + 1 + below(random, 12));
    for (;;) {
      // Lambda gives up on what takes too long, which does not end it.
      if (random() < 0.2) zombies.push(invoke(batch));
      if (await invoke(batch)) {
        if (random() < 0.2) zombies.push(invoke(batch));
        break;
      }
      // Lambda may halve what failed.
      if (random() < 0.3) batch = batch.slice(0, Math.ceil(batch.length / 2));
    }
    from += batch.length;
  }
  await Promise.all(zombies);
};

/** Somebody who can write the audit's table, and does. */
const sabotage = async (chain: TestChain, random: Random, history: readonly Happening[][]): Promise<void> => {
  const all = history.flat();
  for (let n = 0; n < 6; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, below(random, 60)));
    const victim = all[below(random, all.length)];
    const sequence = Math.max(0, ...(await chain.items()).map((row) => Number(row.sequence))) + 1 + below(random, 2);
    const dice = random();
    if (dice < 0.3) await chain.put({ chain: auditKeys.turn, sequence: 0, at: Date.now() + 10 ** 7 });
    else if (dice < 0.6)
      await chain.putNew({ chain: auditKeys.seen(victim?.event_id ?? ''), sequence: 0, at: below(random, 20) });
    else
      await chain.putNew({ chain: auditKeys.chain, sequence, entry: '{}', hash: 'a'.repeat(64), nodes: [], seal: 'x' });
  }
};

const rowOf = (history: readonly Happening[][]) => new Map(history.flat().map(({ event_id, row }) => [event_id, row]));

const eachOnceAndInOrder = (entries: readonly Entry[], history: readonly Happening[][]): void => {
  const expected = history.flat().filter(({ action }) => action !== 'silent');
  const entered = entries
    .filter(({ action }) => action !== 'entry_forged')
    .flatMap(({ event_ids, action }) => event_ids.map((event_id) => ({ event_id, action })));
  const rows = rowOf(history);
  const byRow = (all: readonly { event_id: string; action: string }[]) => {
    const grouped: Record<string, string[]> = {};
    for (const { event_id, action } of all) {
      const row = rows.get(event_id) ?? 'no row';
      grouped[row] = [...(grouped[row] ?? []), `${event_id} ${action}`];
    }
    return grouped;
  };
  expect(byRow(entered)).toEqual(byRow(expected));
};

describeWithEmulator('delivery', (emulator) => {
  const seeds = Array.from({ length: 3 }, () => Math.floor(Math.random() * 2 ** 31));

  it.each(seeds)(
    'enters each change once and each row’s in order, whatever fails, repeats, races and is planted (seed %i)',
    async (seed) => {
      const chain = await makeChain(emulator);
      const random = randomFrom(seed);
      const history = makeHistory(chain.deployment, random, 4);
      const environments: AuditWorld[] = [];
      await Promise.all([
        ...history.map((shard) => deliver(chain, random, shard, environments)),
        sabotage(chain, random, history),
      ]);
      // What was planted last may still stand behind the end.
      const quiet = chain.writer();
      const after = streamRecords(chain.deployment, 'after');
      const last = after('principals', undefined, { principal_id: { S: 'last' } }, { at: Date.now() });
      for (let n = 0; n < 20; n += 1) {
        await hear(quiet, [{ ...last, eventID: `after-${n}` }]);
      }
      const entries = await chain.entries();
      eachOnceAndInOrder(
        entries.filter(({ event_ids }) => !event_ids[0]?.startsWith('stream:after-')),
        history,
      );
      const newest = Math.max(...[...chain.kept.values()].map(({ size }) => size));
      expect(newest).toBe(entries.length);
      for (const head of chain.kept.values()) {
        expect(chain.isGenuine(head)).toBe(true);
        expect(head.root).toBe(await chain.rootAt(head.size));
      }
    },
    120_000,
  );

  it('says what a batch held that the product did not do, and that a record could not be read', async () => {
    const chain = await makeChain(emulator);
    const world = chain.writer();
    const record = streamRecords(chain.deployment);
    const at = Date.now();
    const batch = [
      record('principals', undefined, { principal_id: { S: 'a' }, status: { S: 'active' } }, { at }),
      { eventID: 'poison' },
      record('principals', undefined, { principal_id: { S: 'b' } }, { at }),
    ];
    await hear(world, batch);
    await hear(world, batch);
    const each = [
      { warned: 'out_of_band', subject: 'principals/a' },
      { warned: 'record_unreadable', event_ids: ['stream:poison'] },
      { warned: 'out_of_band', subject: 'principals/b' },
      { counted: { out_of_band_changes_total: 2, audit_records_unreadable_total: 1 } },
    ];
    expect(chain.told).toMatchObject([
      ...each,
      { counted: { audit_entries_total: 3 } },
      ...each,
      { counted: { audit_entries_total: 0 } },
    ]);
  });

  it('asks nothing of the chain for a batch that makes no entry', async () => {
    const chain = await makeChain(emulator);
    const step: Step = async () => {
      throw new Error('nothing was to be asked');
    };
    const { deployment } = chain;
    const lease = productWrites(deployment, testStampKey)('controls', 'lease#x', undefined, {
      action: 'lease_taken',
      at: Date.now(),
      set: { holder: 'x' },
    });
    const record = streamRecords(deployment)('controls', undefined, lease, { at: Date.now() });
    await hear(chain.writer({ step }), [record]);
    expect(chain.told).toEqual([]);
  });
});

/** What of DynamoDB Streams' API the event source mapping uses; its client is no dependency of the project's. */
const shardsSchema = z.object({ StreamDescription: z.object({ Shards: z.array(z.object({ ShardId: z.string() })) }) });
const iteratorSchema = z.object({ ShardIterator: z.string() });
const recordsSchema = z.object({ Records: z.array(z.record(z.string(), z.unknown())) });

describeWithEmulator('the records of a real stream', (emulator) => {
  const ask = async (action: string, body: unknown): Promise<unknown> => {
    const answer = await fetch(emulator.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `DynamoDBStreams_20120810.${action}`,
        authorization: `AWS4-HMAC-SHA256 Credential=test/20261123/${emulator.region}/dynamodb/aws4_request, SignedHeaders=host, Signature=x`,
      },
      body: JSON.stringify(body),
    });
    return answer.json();
  };
  /** All records of a table's stream, as Lambda hands them over. */
  const readStream = async (StreamArn: string): Promise<unknown[]> => {
    const { StreamDescription } = shardsSchema.parse(await ask('DescribeStream', { StreamArn }));
    const records: unknown[] = [];
    for (const { ShardId } of StreamDescription.Shards) {
      const iterator = await ask('GetShardIterator', { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' });
      const page = await ask('GetRecords', { ShardIterator: iteratorSchema.parse(iterator).ShardIterator });
      records.push(...recordsSchema.parse(page).Records.map((one) => ({ ...one, eventSourceARN: StreamArn })));
    }
    return records;
  };

  it('are judged as what was written', async () => {
    const chain = await makeChain(emulator);
    const { client, deployment } = chain;
    await createTables(client, deployment, ['credentials']);
    const TableName = tableName(deployment, 'credentials');
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    const product = productWrites(deployment, testStampKey);
    const values = {
      text: 'ü',
      empty: '',
      bytes: new Uint8Array([0, 255]),
      truth: true,
      nothing: null,
      numbers: [0, -0, 1, -1.5, 1e-7, 0.1 + 0.2, 10n ** 21n, 10n ** 37n + 1n, Number.MAX_SAFE_INTEGER],
      words: new Set(['b', 'a']),
      figures: new Set([10, 9, 1.5]),
      blobs: new Set([new Uint8Array([2]), new Uint8Array([1])]),
      map: { z: 1, a: { list: [{}] } },
    };
    const write = (n: number, before: Image | undefined, action: string, set: Record<string, unknown>) =>
      product('credentials', 'credential-1', before, { action, at: Date.now() + n, set });
    const put = (Item: Image) => client.send(new PutItemCommand({ TableName, Item }));
    const Key = { credential_id: { S: 'credential-1' } };
    const read = async () => (await client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }))).Item;

    await put(write(0, undefined, 'credential_put', values));
    await put(write(1, await read(), 'credential_changed', { text: 'other' }));
    await client.send(
      new UpdateItemCommand({
        TableName,
        Key,
        UpdateExpression: 'SET #map.z = #map.z + :one',
        ExpressionAttributeNames: { '#map': 'map' },
        ExpressionAttributeValues: { ':one': { N: '1' } },
      }),
    );
    await put(write(2, await read(), 'credential_deleted', {}));
    await client.send(new DeleteItemCommand({ TableName, Key }));
    await put(write(3, undefined, 'credential_put', {}));
    await client.send(new DeleteItemCommand({ TableName, Key }));

    const world = chain.writer();
    await hear(world, await readStream(Table?.LatestStreamArn ?? ''));
    expect((await chain.entries()).map(({ action, actor }) => [action, actor])).toEqual([
      ['credential_put', 'admin-1'],
      ['credential_changed', 'admin-1'],
      ['out_of_band', 'unknown'],
      ['credential_deleted', 'admin-1'],
      // A row of a key alone is all bookkeeping: what made it is silent, what deletes it behind the product's back is not.
      ['out_of_band', 'unknown'],
    ]);
  });
});
