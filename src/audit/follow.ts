/**
 * Goes along the chain from a place that is known, by what its entries' bytes say. Of the tree's nodes that rows hold,
 * nothing is believed here: they bear no seal.
 */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import { auditKeys, tableName } from '../names.ts';
import { noEntry } from './entry.ts';
import type { Position } from './position.ts';
import { openRow } from './seal.ts';
import { addLeaf, emptyFrontier } from './tree.ts';
import type { AuditWorld } from './world.ts';

export type Item = Readonly<Record<string, unknown>>;

/** Before the first entry. */
export const beginning: Position = { size: 0, hash: noEntry, frontier: emptyFrontier, appended_at: 0 };

/** More than a page of 1 MB mostly has. */
const pageRows = 1_000;
/** Places that are looked at one by one: ten rows of 400 KB are a quarter of what one request returns. */
const windowRows = 10;

const stepTo = ({ size, frontier, ...before }: Position, hash: string, appended_at: number): Position => ({
  ...before,
  size: size + 1,
  hash,
  frontier: addLeaf(frontier, hash).frontier,
  appended_at: Math.max(before.appended_at, appended_at),
});

export interface Page {
  readonly position: Position;
  /** Whether there was nothing but entries of this deployment, each linked to the one before. */
  readonly isPlain: boolean;
  /** Whether there may be more of them. */
  readonly more: boolean;
}

/**
 * One query further, at most to `last`. Keys are rounded here, which does no harm: an entry is known by its bytes, and
 * what is none ends the page.
 */
export const followPage = async (world: AuditWorld, from: Position, last = Number.MAX_SAFE_INTEGER): Promise<Page> => {
  const to = Math.min(from.size + pageRows, last);
  const stampKey = await world.stampKey();
  const { Items = [], LastEvaluatedKey } = await world.documents.send(
    new QueryCommand({
      TableName: tableName(world.deployment, 'audit'),
      KeyConditionExpression: 'chain = :chain AND #sequence BETWEEN :from AND :to',
      ExpressionAttributeNames: { '#sequence': 'sequence' },
      ExpressionAttributeValues: { ':chain': auditKeys.chain, ':from': from.size + 1, ':to': to },
      ConsistentRead: true,
    }),
  );
  let position = from;
  for (const item of Items) {
    const row = openRow(stampKey, world.deployment, item);
    if (row === null || row.sequence !== position.size + 1 || row.entry.previous !== position.hash)
      return { position, isPlain: false, more: false };
    position = stepTo(position, row.hash, row.entry.appended_at);
  }
  const isCut = LastEvaluatedKey !== undefined;
  return { position, isPlain: !(isCut && position === from), more: (isCut || position.size === to) && to < last };
};

export interface Window {
  /** After the last entry of this deployment among them. */
  readonly position: Position;
  /** What stands after it and is none; by sequence. */
  readonly foreign: ReadonlyMap<number, Item>;
  /** The last place that was looked at. */
  readonly to: number;
  /** Places before `position` where the entry is missing, or another one stands. */
  readonly missing: readonly number[];
  /** Whether each entry up to `position` is known by its hash, and linked to the one before. */
  readonly isLinked: boolean;
}

/**
 * The next places, asked for by their exact keys: whatever somebody put between them is not met. `covered`: so many
 * entries there have been, whatever is left of them, and only these are followed.
 */
export const followPlaces = async (world: AuditWorld, from: Position, covered?: number): Promise<Window> => {
  const to = Math.min(from.size + windowRows, covered ?? Number.MAX_SAFE_INTEGER);
  let seen = await readPlaces(world, from.size + 1, to + 1);
  // Between reading one place and the next, another writer may have filled both.
  if (missingOf(from, seen, lastOf(seen, to)).length > 0) seen = await readPlaces(world, from.size + 1, to + 1);
  const last = covered === undefined ? Math.max(from.size, lastOf(seen, to)) : to;
  let position = from;
  let isLinked = true;
  for (let sequence = from.size + 1; sequence <= last; sequence += 1) {
    const own = seen.own.get(sequence);
    // Nobody's bytes are believed: of an entry that is gone, the one after it says the hash, or nothing stands for it.
    const hash = own?.hash ?? seen.own.get(sequence + 1)?.entry.previous;
    isLinked &&= hash !== undefined && (own === undefined || own.entry.previous === position.hash);
    position = stepTo(position, hash ?? noEntry, own?.entry.appended_at ?? 0);
  }
  const foreign = new Map([...seen.items].filter(([sequence]) => sequence > last && sequence <= to));
  return { position, foreign, to, missing: missingOf(from, seen, last), isLinked };
};

const placeSchema = z.object({ sequence: z.number() });

const readPlaces = async (world: AuditWorld, from: number, to: number) => {
  const stampKey = await world.stampKey();
  const keys = Array.from({ length: to - from + 1 }, (_, n) => ({ chain: auditKeys.chain, sequence: from + n }));
  const items = await batchGet(world, tableName(world.deployment, 'audit'), keys);
  return {
    items: new Map(items.map((item): [number, Item] => [placeSchema.parse(item).sequence, item])),
    own: new Map(
      items.flatMap((item) => {
        const row = openRow(stampKey, world.deployment, item);
        return row === null ? [] : [[row.sequence, row] as const];
      }),
    ),
  };
};
type Seen = Awaited<ReturnType<typeof readPlaces>>;

const lastOf = ({ own }: Seen, to: number): number => Math.max(0, ...[...own.keys()].filter((one) => one <= to));

const missingOf = ({ size }: Position, { own }: Seen, last: number): number[] =>
  Array.from({ length: Math.max(0, last - size) }, (_, n) => size + 1 + n).filter((sequence) => !own.has(sequence));
