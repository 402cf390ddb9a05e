/** Strongly consistent reads of many items of one table: all of them, or a failure, never a part. */
import { BatchGetCommand } from '@aws-sdk/lib-dynamodb';
import { Unavailable } from '../errors.ts';
import type { World } from '../world.ts';

type Key = Readonly<Record<string, string | number>>;
type Item = Readonly<Record<string, unknown>>;

const mostKeys = 100;
const mostRounds = 5;

/** The items that exist, in no order; keys are distinct. @throws Unavailable when DynamoDB keeps leaving keys unread. */
export const batchGet = async (world: World, table: string, keys: readonly Key[]): Promise<Item[]> => {
  const items: Item[] = [];
  for (let start = 0; start < keys.length; start += mostKeys) {
    let left: Record<string, unknown>[] = keys.slice(start, start + mostKeys).map((key) => ({ ...key }));
    for (let round = 0; left.length > 0; round += 1) {
      if (round === mostRounds) throw new Unavailable('the tables are busy; try again');
      if (round > 0) await new Promise((resolve) => setTimeout(resolve, 25 * 2 ** round));
      const answer = await world.documents.send(
        new BatchGetCommand({ RequestItems: { [table]: { Keys: left, ConsistentRead: true } } }),
      );
      items.push(...(answer.Responses?.[table] ?? []));
      left = answer.UnprocessedKeys?.[table]?.Keys ?? [];
    }
  }
  return items;
};
