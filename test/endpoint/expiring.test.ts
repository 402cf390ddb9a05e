/** Pages of what ends soon, when the index orders what ends in one second as it likes. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { QueryCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { documentClient } from '../../src/aws/world.ts';
import { expiryBucket } from '../../src/certificate/expiry.ts';
import { type ExpiryPlace, listExpiring } from '../../src/endpoint/expiring.ts';
import type { World } from '../../src/world.ts';
import { testStampKey } from '../stamps.ts';

const now = Date.parse('2026-11-23T10:00:00Z');
const to = now + 3 * 86_400_000;

type Entry = ExpiryPlace & { readonly expiry_bucket: string };

/** An index by expiry: sorted by its sort key, what is equal as it came. */
const worldOf = (entries: readonly Entry[]): World => {
  const send = async ({ input }: QueryCommand) => {
    const { ExpressionAttributeValues: values = {}, Limit = 1, ExclusiveStartKey } = input;
    const inRange = entries
      .filter((entry) => entry.expiry_bucket === values[':bucket'])
      .filter(({ expires_at }) => expires_at >= values[':from'] && expires_at <= values[':to'])
      .sort((a, b) => a.expires_at - b.expires_at);
    const after = inRange.findIndex(({ endpoint_id }) => endpoint_id === ExclusiveStartKey?.endpoint_id) + 1;
    const Items = inRange.slice(after, after + Limit);
    return { Items, ...(Items.length === Limit ? { LastEvaluatedKey: Items.at(-1) } : {}) };
  };
  const documents = new Proxy(documentClient(new DynamoDBClient({ region: 'eu-central-1' })), {
    get: (target, name) => (name === 'send' ? send : Reflect.get(target, name)),
  });
  const deployment = { name: 'airunner', environment: 'dev' };
  return {
    deployment,
    now: () => now,
    randomBytes: (size) => new Uint8Array(size),
    documents,
    stampKey: async () => testStampKey,
  };
};

const entries = fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { maxLength: 40 }).chain((ids) =>
  fc.tuple(
    ...ids.map((id) =>
      fc
        .record({ second: fc.constantFrom(-1, 0, 1, 90_000, 400_000), shard: fc.nat(1) })
        .map(({ second, shard }): Entry => {
          const expires_at = now + second * 1_000;
          return { endpoint_id: `e${id}`, expires_at, expiry_bucket: expiryBucket(expires_at, shard.toString(16)) };
        }),
    ),
  ),
);

it('each is there once, the first to end first, whatever the pages are', async () => {
  await fc.assert(
    fc.asyncProperty(entries, fc.integer({ min: 1, max: 8 }), async (some, limit) => {
      const world = worldOf(some);
      const found: ExpiryPlace[] = [];
      let after: ExpiryPlace | undefined;
      do {
        const page = await listExpiring(world, { from: now, to, limit, after });
        expect(page.entries.length).toBeLessThanOrEqual(limit);
        found.push(...page.entries);
        after = page.next;
      } while (after !== undefined);
      const expected = some
        .filter(({ expires_at }) => expires_at >= now && expires_at <= to)
        .map(({ endpoint_id, expires_at }) => ({ endpoint_id, expires_at }))
        .sort((a, b) => a.expires_at - b.expires_at || (a.endpoint_id < b.endpoint_id ? -1 : 1));
      expect(found).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});
