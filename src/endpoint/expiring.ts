/** Which endpoints' certificates end soon, the first to end first: read from the index by expiry and never from the table. */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { expiryBuckets, expiryShards } from '../certificate/expiry.ts';
import { endpointIndexes, tableName } from '../names.ts';
import type { World } from '../world.ts';

const placeSchema = z.object({ endpoint_id: z.string(), expires_at: z.number() });

/** Where a page ended. */
export type ExpiryPlace = Readonly<z.infer<typeof placeSchema>>;

export interface ExpiringQuery {
  /** ms since the epoch, both inclusive. */
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  readonly after?: ExpiryPlace | undefined;
}

/** Days whose shards are read at the same time. */
const wave_days = 4;

const isAfter = (entry: ExpiryPlace, place: ExpiryPlace): boolean =>
  entry.expires_at === place.expires_at ? entry.endpoint_id > place.endpoint_id : entry.expires_at > place.expires_at;

/** By `expires_at`, then id; `next` is the last place when there may be more. */
export const listExpiring = async (
  world: World,
  { from, to, limit, after }: ExpiringQuery,
): Promise<{ entries: readonly ExpiryPlace[]; next?: ExpiryPlace }> => {
  const begin = Math.max(from, after?.expires_at ?? from);
  const buckets = begin > to ? [] : expiryBuckets(begin, to);
  const found: ExpiryPlace[] = [];
  for (let at = 0; at < buckets.length && found.length <= limit; at += wave_days * expiryShards) {
    const read = (bucket: string) => readShard(world, { bucket, from: begin, to, limit, after });
    const shards = await Promise.all(buckets.slice(at, at + wave_days * expiryShards).map(read));
    found.push(...shards.flat().sort((a, b) => (isAfter(a, b) ? 1 : -1)));
  }
  const entries = found.slice(0, limit);
  const next = found.length > limit ? entries.at(-1) : undefined;
  return { entries, ...(next === undefined ? {} : { next }) };
};

interface ShardQuery extends ExpiringQuery {
  readonly bucket: string;
}

/**
 * More than `limit` entries beyond `after`, or all. What ends in the same second comes in no order of ids, so either all of
 * that second is read or nothing of it.
 */
const readShard = async (world: World, { bucket, from, to, limit, after }: ShardQuery): Promise<ExpiryPlace[]> => {
  const found: ExpiryPlace[] = [];
  let start: Record<string, unknown> | undefined;
  do {
    const { Items = [], LastEvaluatedKey } = await world.documents.send(
      new QueryCommand({
        TableName: tableName(world.deployment, 'endpoints'),
        IndexName: endpointIndexes.byExpiry,
        KeyConditionExpression: 'expiry_bucket = :bucket AND expires_at BETWEEN :from AND :to',
        ExpressionAttributeValues: { ':bucket': bucket, ':from': from, ':to': to },
        Limit: limit + 1,
        ...(start === undefined ? {} : { ExclusiveStartKey: start }),
      }),
    );
    const entries = Items.map((item) => placeSchema.parse(item));
    found.push(...entries.filter((entry) => after === undefined || isAfter(entry, after)));
    start = LastEvaluatedKey;
    const last = found.at(-1)?.expires_at;
    const whole = found.filter(({ expires_at }) => expires_at !== last);
    if (start !== undefined && whole.length > limit) return whole;
  } while (start !== undefined);
  return found;
};
