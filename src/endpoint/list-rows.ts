/** The rows of one listing, a page at a time: the index says which, the table what they are. */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/unchanged.ts';
import { endpointIndexes, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { readRows } from './read-row.ts';

export interface ListingQuery {
  readonly listing: string;
  readonly limit: number;
  /** The key of the last row of the page before. */
  readonly after?: string | undefined;
}

/** By their keys' order, as they are now; `next` is the last key when there are more. */
export const listRows = async (
  world: World,
  { listing, limit, after }: ListingQuery,
): Promise<{ rows: Row[]; next?: string }> => {
  const { Items = [] } = await world.documents.send(
    new QueryCommand({
      TableName: tableName(world.deployment, 'endpoints'),
      IndexName: endpointIndexes.byListing,
      KeyConditionExpression: `listing = :listing${after === undefined ? '' : ' AND endpoint_id > :after'}`,
      ExpressionAttributeValues: { ':listing': listing, ...(after === undefined ? {} : { ':after': after }) },
      Limit: limit + 1,
    }),
  );
  const keys = Items.map(({ endpoint_id }) => String(endpoint_id));
  const page = keys.slice(0, limit);
  const found = await readRows(world, page);
  const next = keys.length > limit ? page.at(-1) : undefined;
  const rows = page.map((key) => found.get(key)).filter((row) => row !== undefined);
  return { rows, ...(next === undefined ? {} : { next }) };
};
