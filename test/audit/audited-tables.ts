/** Tables of their own whose changes reach the chain when a test hands their stream's records over, and not before. */
import { randomUUID } from 'node:crypto';
import { DeleteItemCommand, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { append } from '../../src/audit/append.ts';
import type { Image } from '../../src/audit/attribute.ts';
import { judge } from '../../src/audit/judge.ts';
import {
  type AuditedTable,
  auditedTables,
  controlKeys,
  generationCopies,
  tableKeys,
  tableName,
} from '../../src/names.ts';
import type { TestEmulator } from '../emulator.ts';
import { testStampKey } from '../stamps.ts';
import { createTables } from '../tables.ts';
import { makeChain } from './chain.ts';
import { edited, type ProductWrite, productWrites, type StreamRecord, streamRecords } from './stream-records.ts';

/** Lambda hands binary over as Base64. */
const inStream = (image: Image | undefined): Image | undefined =>
  image &&
  JSON.parse(
    JSON.stringify(image, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value)),
  );

export const makeAuditedTables = async (emulator: TestEmulator) => {
  const chain = await makeChain(emulator);
  const { deployment, client } = chain;
  await createTables(client, deployment, auditedTables);
  const recordOf = streamRecords(deployment, randomUUID());
  const written = productWrites(deployment, testStampKey);
  const named = (table: AuditedTable, key: string) => ({ [tableKeys[table]]: { S: key } });

  const read = async (table: AuditedTable, key: string): Promise<Image | undefined> =>
    (
      await client.send(
        new GetItemCommand({ TableName: tableName(deployment, table), Key: named(table, key), ConsistentRead: true }),
      )
    ).Item;

  /** Replaces the row, or takes it away, and answers what the table's stream tells of it. */
  const replace = async (
    table: AuditedTable,
    key: string,
    after: Image | undefined,
    userIdentity?: unknown,
  ): Promise<StreamRecord> => {
    const TableName = tableName(deployment, table);
    const before = await read(table, key);
    if (after === undefined) await client.send(new DeleteItemCommand({ TableName, Key: named(table, key) }));
    else await client.send(new PutItemCommand({ TableName, Item: { ...after } }));
    // As DynamoDB holds it: numbers are not always kept as they were written.
    const now = inStream(await read(table, key));
    return recordOf(table, inStream(before), now, { at: Date.now(), userIdentity });
  };

  /** As the product writes: stamped, one version further. */
  const product = async (table: AuditedTable, key: string, write: Partial<ProductWrite>): Promise<StreamRecord> =>
    replace(
      table,
      key,
      written(table, key, await read(table, key), { action: 'row_changed', at: Date.now(), ...write }),
    );
  /** As the product deletes: the stamp first. */
  const productDeletes = async (table: AuditedTable, key: string): Promise<StreamRecord[]> => [
    await product(table, key, { action: 'row_deleted' }),
    await replace(table, key, undefined),
  ];
  /** As somebody edits with the command line of AWS. */
  const edit = async (table: AuditedTable, key: string, set: Image, remove: readonly string[] = []) =>
    replace(table, key, { ...named(table, key), ...edited((await read(table, key)) ?? {}, set, remove) });

  const deliver = async (...records: readonly StreamRecord[]): Promise<void> => {
    const drafts = records.flatMap((record) => judge({ deployment, stampKey: testStampKey }, record) ?? []);
    await append(chain.writer(), drafts);
  };

  const made: StreamRecord[] = [];
  for (let copy = 0; copy < generationCopies; copy += 1)
    made.push(await product('controls', controlKeys.generation(copy), { set: { generation: 0 } }));
  await deliver(...made);
  return { ...chain, read, replace, product, productDeletes, edit, deliver };
};
export type AuditedTables = Awaited<ReturnType<typeof makeAuditedTables>>;
