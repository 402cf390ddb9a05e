/** Tables of their own whose changes reach the chain when a test hands their stream's records over, and not before. */
import { createSign, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import {
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  paginateQuery,
} from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { append } from '../../src/audit/append.ts';
import { type Image, toImage } from '../../src/audit/attribute.ts';
import { type Entry, entrySchema } from '../../src/audit/entry.ts';
import { type HeadStore, headKey, type ListedHead, type SignedHead } from '../../src/audit/head.ts';
import { judge } from '../../src/audit/judge.ts';
import { makeStamp, nextVersion } from '../../src/audit/stamp.ts';
import type { AuditWorld } from '../../src/audit/world.ts';
import { documentClient } from '../../src/aws/world.ts';
import { type AuditedTable, auditKeys, controlKeys, generationCopies, tableKeys, tableName } from '../../src/names.ts';
import type { TestEmulator } from '../emulator.ts';
import { testStampKey } from '../stamps.ts';
import { createTables } from '../tables.ts';

/** Heads in memory; a double of the bucket that holds what it is given. */
const keepHeads = (): HeadStore & { readonly kept: SignedHead[] } => {
  const kept: SignedHead[] = [];
  const list = (): ListedHead[] =>
    kept
      .map((head) => ({ size: head.size, hash: head.hash, key: headKey(head), versions: ['1'], hidden: false }))
      .sort((one, other) => other.size - one.size);
  return {
    kept,
    newest: async () => list()[0] ?? null,
    listed: async function* ({ from = 1, to = Number.MAX_SAFE_INTEGER }) {
      yield* list().filter(({ size }) => size >= from && size <= to);
    },
    read: async ({ key }) => kept.find((head) => headKey(head) === key) ?? null,
    write: async (head) => {
      kept.push(head);
    },
  };
};

export const makeAuditedTables = async (emulator: TestEmulator) => {
  const deployment = { name: `t${randomBytes(5).toString('hex')}`, environment: 'dev' };
  const client = emulator.client(DynamoDBClient);
  await createTables(client, deployment);
  const heads = keepHeads();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const alarms: string[] = [];
  const world = (): AuditWorld => ({
    deployment,
    now: Date.now,
    randomBytes: (size) => randomBytes(size),
    documents: documentClient(client),
    stampKey: async () => testStampKey,
    heads,
    signHead: async (bytes) => createSign('sha256').update(bytes).sign(privateKey),
    sleep: () => new Promise((resolve) => setTimeout(resolve, 5)),
    memory: {},
    alarm: (problem) => alarms.push(problem),
  });

  const named = (table: AuditedTable, key: string) => ({ [tableKeys[table]]: { S: key } });
  const read = async (table: AuditedTable, key: string): Promise<Image | undefined> =>
    (
      await client.send(
        new GetItemCommand({ TableName: tableName(deployment, table), Key: named(table, key), ConsistentRead: true }),
      )
    ).Item;

  /** Lambda hands binary over as Base64. */
  const inStream = (image: Image | undefined): Image =>
    JSON.parse(
      JSON.stringify(image ?? {}, (_, value) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
      ),
    );

  /** Replaces the row, or takes it away, and answers what the table's stream tells of it. */
  const replace = async (table: AuditedTable, key: string, after: Image | undefined, userIdentity?: unknown) => {
    const TableName = tableName(deployment, table);
    const before = await read(table, key);
    const told = async (): Promise<Image | undefined> => after && inStream(await read(table, key));
    if (after === undefined) await client.send(new DeleteItemCommand({ TableName, Key: named(table, key) }));
    else await client.send(new PutItemCommand({ TableName, Item: { ...after } }));
    return {
      eventID: String(randomUUID()),
      eventName: before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY',
      eventSourceARN: `arn:aws:dynamodb:us-east-1:000000000000:table/${TableName}/stream/2026-11-01T00:00:00.000`,
      ...(userIdentity === undefined ? {} : { userIdentity }),
      dynamodb: {
        ApproximateCreationDateTime: Date.now() / 1_000,
        Keys: named(table, key),
        ...(before === undefined ? {} : { OldImage: inStream(before) }),
        ...(after === undefined ? {} : { NewImage: await told() }),
      },
    };
  };
  type StreamRecord = Awaited<ReturnType<typeof replace>>;

  const without = (image: Image, names: readonly string[]): Image =>
    Object.fromEntries(Object.entries(image).filter(([name]) => !names.includes(name)));

  /** As the product writes: stamped, one version further. */
  const product = async (
    table: AuditedTable,
    key: string,
    {
      set = {},
      remove = [],
      action = 'row_changed',
    }: { set?: Record<string, unknown>; remove?: string[]; action?: string },
  ): Promise<StreamRecord> => {
    const before = await read(table, key);
    const values = toImage(before === undefined ? { ...set, [tableKeys[table]]: key } : set);
    const version = nextVersion(before?.row_version?.N === undefined ? undefined : Number(before.row_version.N));
    const stamp = makeStamp(
      testStampKey,
      { deployment, table, key, version },
      {
        author: { actor: 'admin-one', request_id: randomUUID() },
        action,
        at: Date.now(),
        set: values,
        removed: remove,
      },
    );
    const own = toImage({ row_version: version, stamp });
    return replace(table, key, { ...without(before ?? {}, remove), ...values, ...own });
  };
  /** As the product deletes: the stamp first. */
  const productDeletes = async (table: AuditedTable, key: string): Promise<StreamRecord[]> => [
    await product(table, key, { action: 'row_deleted' }),
    await replace(table, key, undefined),
  ];
  /** As somebody edits with the command line of AWS. */
  const edit = async (table: AuditedTable, key: string, set: Image, remove: readonly string[] = []) =>
    replace(table, key, { ...named(table, key), ...without((await read(table, key)) ?? {}, remove), ...set });

  const deliver = async (...records: readonly StreamRecord[]): Promise<void> => {
    const drafts = records.flatMap((record) => judge({ deployment, stampKey: testStampKey }, record) ?? []);
    await append(world(), drafts);
  };

  const entries = async (): Promise<Entry[]> => {
    const pages = paginateQuery(
      { client },
      {
        TableName: tableName(deployment, 'audit'),
        KeyConditionExpression: 'chain = :chain AND #sequence > :zero',
        ExpressionAttributeNames: { '#sequence': 'sequence' },
        ExpressionAttributeValues: { ':chain': { S: auditKeys.chain }, ':zero': { N: '0' } },
        ConsistentRead: true,
      },
    );
    const all: Entry[] = [];
    for await (const { Items = [] } of pages)
      all.push(...Items.map((item) => entrySchema.parse(JSON.parse(unmarshall(item).entry))));
    return all;
  };

  const made: StreamRecord[] = [];
  for (let copy = 0; copy < generationCopies; copy += 1)
    made.push(await product('controls', controlKeys.generation(copy), { set: { generation: 0 } }));
  await deliver(...made);
  return { deployment, client, world, heads, alarms, read, replace, product, productDeletes, edit, deliver, entries };
};
export type AuditedTables = Awaited<ReturnType<typeof makeAuditedTables>>;
