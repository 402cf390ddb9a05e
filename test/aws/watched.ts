/** A world whose every write is judged as the audit will judge it: by the row's images before it and after it. */
import { type DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, PutCommand, TransactWriteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Image } from '../../src/audit/attribute.ts';
import type { Draft } from '../../src/audit/entry.ts';
import { judge } from '../../src/audit/judge.ts';
import { stampAttribute } from '../../src/audit/stamp.ts';
import { type AuditedTable, auditedTables, tableKeys, tableName } from '../../src/names.ts';
import type { World } from '../../src/world.ts';
import { streamRecords } from '../audit/stream-records.ts';

interface Written {
  readonly table: AuditedTable;
  readonly key: string;
}

export interface SeenWrite {
  /** `principals/worker-1` */
  readonly subject: string;
  /** The stamp's; null where there is none. */
  readonly action: string | null;
  /** null: silent. */
  readonly draft: Draft | null;
}

const entriesOf = (command: unknown): Record<string, unknown>[] => {
  if (command instanceof PutCommand) return [{ TableName: command.input.TableName, Key: command.input.Item }];
  if (command instanceof UpdateCommand || command instanceof DeleteCommand) return [{ ...command.input }];
  if (!(command instanceof TransactWriteCommand)) return [];
  return (command.input.TransactItems ?? []).flatMap(({ Put, Update, Delete }) => [
    ...(Put === undefined ? [] : [{ TableName: Put.TableName, Key: Put.Item }]),
    ...(Update === undefined ? [] : [{ ...Update }]),
    ...(Delete === undefined ? [] : [{ ...Delete }]),
  ]);
};

/** As a Lambda event has it: binary is Base64. */
const asEvent = (image: Image | undefined): Image | undefined =>
  image &&
  JSON.parse(
    JSON.stringify(image, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value)),
  );

export const watched = <W extends World>(world: W, client: DynamoDBClient) => {
  const { deployment } = world;
  const record = streamRecords(deployment);
  const writes: SeenWrite[] = [];

  const written = (command: unknown): Written[] =>
    entriesOf(command).map(({ TableName, Key }) => {
      const table = auditedTables.find((one) => tableName(deployment, one) === TableName);
      if (table === undefined) throw new Error(`${TableName} is no audited table`);
      return { table, key: String(Object(Key)[tableKeys[table]]) };
    });
  const image = async ({ table, key }: Written): Promise<Image | undefined> => {
    const { Item } = await client.send(
      new GetItemCommand({
        TableName: tableName(deployment, table),
        Key: { [tableKeys[table]]: { S: key } },
        ConsistentRead: true,
      }),
    );
    return asEvent(Item);
  };
  const send: World['documents']['send'] = async (command: unknown) => {
    const rows = written(command);
    const before = await Promise.all(rows.map(image));
    const result = await Reflect.apply(world.documents.send, world.documents, [command]);
    const after = await Promise.all(rows.map(image));
    const stampKey = await world.stampKey();
    for (const [index, { table, key }] of rows.entries()) {
      const [old, now] = [before[index], after[index]];
      writes.push({
        subject: `${table}/${key}`,
        action: (now ?? old)?.[stampAttribute]?.M?.action?.S ?? null,
        draft: judge({ deployment, stampKey }, record(table, old, now, { at: Date.now() })),
      });
    }
    return result;
  };
  const documents: World['documents'] = new Proxy(world.documents, {
    get: (target, name) => (name === 'send' ? send : Reflect.get(target, name)),
  });

  /** What `work` wrote, in order. */
  const during = async (work: () => Promise<unknown>): Promise<SeenWrite[]> => {
    const from = writes.length;
    await work();
    return writes.slice(from);
  };
  return { world: { ...world, documents }, during, image, writes };
};
