/** Reads a row of the endpoints table, strongly consistently. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { batchGet } from '../aws/batch-get.ts';
import type { Row } from '../aws/unchanged.ts';
import { tableName } from '../names.ts';
import type { World } from '../world.ts';

/** undefined: there is none. */
export const readRow = async (world: World, endpoint_id: string): Promise<Row | undefined> => {
  const { Item } = await world.documents.send(
    new GetCommand({ TableName: tableName(world.deployment, 'endpoints'), Key: { endpoint_id }, ConsistentRead: true }),
  );
  return Item;
};

/** Those that exist, by their keys. */
export const readRows = async (world: World, keys: Iterable<string>): Promise<ReadonlyMap<string, Row>> => {
  const distinct = [...new Set(keys)].map((endpoint_id) => ({ endpoint_id }));
  const rows = await batchGet(world, tableName(world.deployment, 'endpoints'), distinct);
  return new Map(rows.map((row) => [String(row.endpoint_id), row]));
};
