/** Rows as DynamoDB holds them, each value with its type, whatever somebody typed into them. Strongly consistent reads. */
import { BatchGetItemCommand, ScanCommand, type ScanCommandInput } from '@aws-sdk/client-dynamodb';
import type { AttributeValue, Image } from '../audit/attribute.ts';
import { Unavailable } from '../errors.ts';
import { type AuditedTable, tableKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';

const mostKeys = 100;
const mostRounds = 8;

/** An attribute may have this name, but the SDK does not hand its value on. */
export const unreadAttribute = '__proto__';

/** Without a prototype: an attribute may have any name, and under none that the row lacks anything is to be found. */
const bare = (image: Image): Image => {
  const { [unreadAttribute]: _unread, ...read } = image;
  return Object.assign(Object.create(null), read);
};

const keyOf = (table: AuditedTable, image: Image): string => image[tableKeys[table]]?.S ?? '';

/** All rows of a table, by key, a page of at most 1 MB at a time. A row that is written meanwhile may be seen or not. */
export async function* scanImages(world: World, table: AuditedTable): AsyncGenerator<ReadonlyMap<string, Image>> {
  let ExclusiveStartKey: ScanCommandInput['ExclusiveStartKey'];
  do {
    const page = await world.documents.send(
      new ScanCommand({ TableName: tableName(world.deployment, table), ConsistentRead: true, ExclusiveStartKey }),
    );
    yield new Map((page.Items ?? []).map((image) => [keyOf(table, image), bare(image)]));
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
}

/** Those of the rows that exist. @throws Unavailable when DynamoDB keeps leaving keys unread */
export const readImages = async (
  world: World,
  table: AuditedTable,
  keys: readonly string[],
): Promise<ReadonlyMap<string, Image>> => {
  const TableName = tableName(world.deployment, table);
  const images = new Map<string, Image>();
  for (let start = 0; start < keys.length; start += mostKeys) {
    let left: Record<string, AttributeValue>[] = keys
      .slice(start, start + mostKeys)
      .map((key) => ({ [tableKeys[table]]: { S: key } }));
    for (let round = 0; left.length > 0; round += 1) {
      if (round === mostRounds) throw new Unavailable('the tables are busy; try again');
      if (round > 0) await new Promise((resolve) => setTimeout(resolve, 25 * 2 ** round));
      const answer = await world.documents.send(
        new BatchGetItemCommand({ RequestItems: { [TableName]: { Keys: left, ConsistentRead: true } } }),
      );
      for (const image of answer.Responses?.[TableName] ?? []) images.set(keyOf(table, image), bare(image));
      left = answer.UnprocessedKeys?.[TableName]?.Keys ?? [];
    }
  }
  return images;
};
