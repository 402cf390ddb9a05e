/** How far the chain is, found out whatever somebody planted at its end, removed there or changed. */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { auditKeys, tableName } from '../names.ts';
import { noEntry } from './entry.ts';
import type { SignedHead } from './head.ts';
import { readFrontier } from './read-frontier.ts';
import { openRow } from './seal.ts';
import { addLeaf, emptyFrontier, type Frontier, rootOf } from './tree.ts';
import type { AuditWorld } from './world.ts';

/** All that the next entry, or a head, depends on. */
export interface Position {
  /** The newest entry's sequence; 0 before the first. */
  readonly size: number;
  /** The newest entry's hash. */
  readonly hash: string;
  readonly frontier: Frontier;
  /** When the newest entry was entered, ms. */
  readonly appended_at: number;
}

type Item = Readonly<Record<string, unknown>>;

export interface Found {
  readonly position: Position;
  /** What stands where the next entries belong, and was not appended by this deployment; by sequence. */
  readonly foreign: ReadonlyMap<number, Item>;
}

const beginning: Position = { size: 0, hash: noEntry, frontier: emptyFrontier, appended_at: 0 };
const nothing: Found['foreign'] = new Map();

/** Rows that one query reads, and how far beyond the chain's end anything is looked for. */
const reach = 100;

interface Range {
  readonly above: number;
  readonly to?: number;
  readonly newestFirst?: boolean;
  readonly Limit?: number;
}

const rowsOf = async (
  world: AuditWorld,
  { above, to = Number.MAX_SAFE_INTEGER, newestFirst = false, Limit = reach }: Range,
): Promise<readonly Item[]> => {
  const items: Item[] = [];
  let ExclusiveStartKey: Item | undefined;
  do {
    const page = await world.documents.send(
      new QueryCommand({
        TableName: tableName(world.deployment, 'audit'),
        KeyConditionExpression: 'chain = :chain AND #sequence BETWEEN :from AND :to',
        ExpressionAttributeNames: { '#sequence': 'sequence' },
        ExpressionAttributeValues: { ':chain': auditKeys.chain, ':from': above + 1, ':to': to },
        ScanIndexForward: !newestFirst,
        ConsistentRead: true,
        Limit: Limit - items.length,
        ExclusiveStartKey,
      }),
    );
    items.push(...(page.Items ?? []));
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined && items.length < Limit);
  return items;
};

/**
 * How far the chain is now. What this environment remembers of it is taken as a beginning where it still fits.
 * @throws what the reads throw
 */
export const presentPosition = async (world: AuditWorld): Promise<Found> => {
  const { position } = world.memory;
  const caughtUp = position === undefined ? null : await catchUp(world, position);
  const found = caughtUp === null ? await readPosition(world) : { position: caughtUp, foreign: nothing };
  world.memory.position = found.position;
  return found;
};

/** The position after what others appended since; null when that is not plain to see, and all must be read anew. */
const catchUp = async (world: AuditWorld, position: Position): Promise<Position | null> => {
  const stampKey = await world.stampKey();
  const rows = await rowsOf(world, { above: position.size, to: position.size + reach });
  if (rows.length === reach) return null;
  let { size, hash, frontier, appended_at } = position;
  for (const item of rows) {
    const row = openRow(stampKey, world.deployment, item);
    if (row === null || row.sequence !== size + 1 || row.entry.previous !== hash) return null;
    size = row.sequence;
    hash = row.hash;
    appended_at = row.entry.appended_at;
    frontier = addLeaf(frontier, hash).frontier;
  }
  return { size, hash, frontier, appended_at };
};

/**
 * Reads from nothing: the newest row that bears the chain's seal, or the newest signed head, whichever is further. So
 * where the newest entries were removed, the next one still follows the last that was signed.
 */
const readPosition = async (world: AuditWorld): Promise<Found> => {
  const [stampKey, [newest], listed] = await Promise.all([
    world.stampKey(),
    rowsOf(world, { above: 0, newestFirst: true, Limit: 1 }),
    world.heads.newest(),
  ]);
  if (newest === undefined && listed === null) return { position: beginning, foreign: nothing };
  const row = openRow(stampKey, world.deployment, newest);
  if (row === null || row.sequence < (listed?.size ?? 0)) return readDisturbed(world);
  const [position, head] = await Promise.all([
    positionAt(world, row, row.entry.appended_at),
    listed?.size === row.sequence ? world.heads.read(listed) : null,
  ]);
  if (head !== null) compareRoots(world, position, head);
  return { position, foreign: nothing };
};

/** Rows that hold the tree's nodes bear no seal of their own. */
const compareRoots = (world: AuditWorld, { frontier }: Position, { size, root }: SignedHead): void => {
  if (rootOf(frontier) !== root) world.alarm('entries are missing, or not as they were signed', { size });
};

/** Somebody else wrote after the newest entry, or removed it: from the newest signed head on, row by row. */
const readDisturbed = async (world: AuditWorld): Promise<Found> => {
  const stampKey = await world.stampKey();
  const head = await newestHead(world);
  let newest: { readonly sequence: number; readonly hash: string; readonly appended_at: number } | undefined;
  let above = head?.size ?? 0;
  for (;;) {
    const items = await rowsOf(world, { above, to: above + reach });
    const own = items.flatMap((item) => openRow(stampKey, world.deployment, item) ?? []).at(-1);
    if (own === undefined) break;
    newest = { ...own, appended_at: own.entry.appended_at };
    above = own.sequence;
  }
  const beyond = await rowsOf(world, { above });
  if (beyond.length > 0)
    world.alarm('rows after the newest entry are not ones that this deployment appended', {
      sequences: beyond.slice(0, 10).map(sequenceOf),
    });
  const foreign = new Map(beyond.map((item) => [sequenceOf(item), item]));
  if (newest !== undefined) return { position: await positionAt(world, newest, newest.appended_at), foreign };
  if (head === null) return { position: beginning, foreign };
  const position = await positionAt(world, { sequence: head.size, hash: head.hash }, head.signed_at);
  compareRoots(world, position, head);
  return { position, foreign };
};

const sequenceOf = (item: Item): number => z.object({ sequence: z.number() }).parse(item).sequence;

const newestHead = async (world: AuditWorld): Promise<SignedHead | null> => {
  for await (const listed of world.heads.listed({})) {
    const head = await world.heads.read(listed);
    if (head !== null) return head;
    world.alarm('an object among the heads is not signed by this deployment', { key: listed.key });
  }
  return null;
};

const positionAt = async (
  world: AuditWorld,
  { sequence, hash }: { readonly sequence: number; readonly hash: string },
  appended_at: number,
): Promise<Position> => ({ size: sequence, hash, appended_at, frontier: await readFrontier(world, sequence, hash) });
