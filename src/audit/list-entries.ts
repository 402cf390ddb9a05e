/** Lists the audit's entries, the newest first, a page at a time. */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import { auditByAction, auditKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type Entry, entryHash, readEntry } from './entry.ts';

export interface EntriesQuery {
  readonly action?: string | undefined;
  readonly actor?: string | undefined;
  /** As an entry has it, or one of the rows that a batch's entry names in its details. */
  readonly subject?: string | undefined;
  /** ms since the epoch: nothing that was entered before. */
  readonly since?: number | undefined;
  readonly limit: number;
  /** The sequence that the page before ended with. */
  readonly after?: number | undefined;
}

export type ListedEntry =
  | (Entry & { readonly hash: string })
  /** A row that is no entry as the product writes them; verifying the chain says more. */
  | { readonly sequence: number; readonly damaged: string };

export interface EntriesPage {
  readonly entries: readonly ListedEntry[];
  /** Absent when there is nothing more. */
  readonly next?: number;
}

/** Reads that one request may make; a filter that finds little answers a short page and where to go on. */
const mostReads = 5;
/** Rows that one read gets where a filter may leave most of them out. */
const filteredRows = 500;
/** Keys of the index that one read gets: a batch of rows. */
const indexRows = 100;
/** So many entries in a row that are older than asked for end a list: somebody may have planted one to hide the rest. */
const enoughOlder = 100;
/** Bytes of entries in one answer, which JSON in JSON makes up to four times as long; a function answers at most 6 MB. */
export const pageBytes = 800_000;

const rowSchema = z.looseObject({ sequence: z.number(), entry: z.string(), hash: z.string() });
const keySchema = z.looseObject({ chain: z.string(), sequence: z.number() });
const sequenceOf = (item: Item): number => keySchema.parse(item).sequence;
const changesSchema = z.looseObject({ changes: z.array(z.looseObject({ table: z.string(), key: z.string() })) });

/** By `action`, `actor` and `subject` exactly. By action the newest entries of the last moment may still be missing. */
export const listEntries = async (world: World, query: EntriesQuery): Promise<EntriesPage> => {
  const { limit, since = Number.NEGATIVE_INFINITY } = query;
  const read = query.action === undefined ? readChain : readByAction;
  const entries: ListedEntry[] = [];
  let bytes = 0;
  let older = 0;
  let after = query.after;
  for (let reads = 0; reads < mostReads; reads += 1) {
    const { rows, last } = await read(world, query, after);
    for (const row of rows) {
      const listed = listedEntry(row);
      const isOlder = !('damaged' in listed) && listed.appended_at < since;
      older = isOlder ? older + 1 : 0;
      if (older === enoughOlder) return { entries };
      if (!isOlder && fits(listed, query)) {
        bytes += Buffer.byteLength(JSON.stringify(listed));
        if (entries.length === limit || (entries.length > 0 && bytes > pageBytes)) return pageOf(entries, after);
        entries.push(listed);
      }
      after = listed.sequence;
    }
    if (last === undefined) return { entries };
    after = last;
  }
  return pageOf(entries, after);
};

const pageOf = (entries: readonly ListedEntry[], next: number | undefined): EntriesPage => ({
  entries,
  ...(next === undefined ? {} : { next }),
});

/** Rows with falling sequences, and where the read ended when there is more. */
interface Read {
  readonly rows: readonly Item[];
  readonly last: number | undefined;
}
type Item = Readonly<Record<string, unknown>>;

/** Whole numbers below the one that the page before ended with: whatever somebody planted, each page comes nearer to 1. */
const range = (after: number | undefined) => ({
  condition: '#sequence BETWEEN :first AND :last',
  ExpressionAttributeNames: { '#sequence': 'sequence' },
  ExpressionAttributeValues: {
    ':first': Number.MIN_SAFE_INTEGER,
    ':last': after === undefined ? Number.MAX_SAFE_INTEGER : Math.ceil(after) - 1,
  },
});

const lastOf = (key: Item | undefined): number | undefined =>
  key === undefined ? undefined : keySchema.parse(key).sequence;

const readChain = async (
  world: World,
  { actor, subject, since, limit }: EntriesQuery,
  after: number | undefined,
): Promise<Read> => {
  const { condition, ...names } = range(after);
  const { Items = [], LastEvaluatedKey } = await world.documents.send(
    new QueryCommand({
      TableName: tableName(world.deployment, 'audit'),
      KeyConditionExpression: `chain = :chain AND ${condition}`,
      ...names,
      ExpressionAttributeValues: { ...names.ExpressionAttributeValues, ':chain': auditKeys.chain },
      ScanIndexForward: false,
      ConsistentRead: true,
      Limit:
        actor !== undefined || subject !== undefined
          ? filteredRows
          : limit + 1 + (since === undefined ? 0 : enoughOlder),
    }),
  );
  return { rows: Items, last: lastOf(LastEvaluatedKey) };
};

const readByAction = async (world: World, { action }: EntriesQuery, after: number | undefined): Promise<Read> => {
  const table = tableName(world.deployment, 'audit');
  const { condition, ...names } = range(after);
  const { Items = [], LastEvaluatedKey } = await world.documents.send(
    new QueryCommand({
      TableName: table,
      IndexName: auditByAction,
      KeyConditionExpression: `#action = :action AND ${condition}`,
      ExpressionAttributeNames: { ...names.ExpressionAttributeNames, '#action': 'action' },
      ExpressionAttributeValues: { ...names.ExpressionAttributeValues, ':action': action },
      ScanIndexForward: false,
      Limit: indexRows,
    }),
  );
  const keys = Items.map((item) => keySchema.parse(item)).filter(({ chain }) => chain === auditKeys.chain);
  const rows = await batchGet(
    world,
    table,
    keys.map(({ sequence }) => ({ chain: auditKeys.chain, sequence })),
  );
  return { rows: [...rows].sort((one, other) => sequenceOf(other) - sequenceOf(one)), last: lastOf(LastEvaluatedKey) };
};

const listedEntry = (item: Item): ListedEntry => {
  const sequence = sequenceOf(item);
  const row = rowSchema.safeParse(item).data;
  if (row === undefined) return { sequence, damaged: 'the row holds no entry' };
  const entry = readEntry(row.entry);
  if (entry === null) return { sequence, damaged: 'the entry cannot be read' };
  if (entry.sequence !== sequence) return { sequence, damaged: `the row holds entry ${entry.sequence}` };
  if (entryHash(row.entry) !== row.hash) return { sequence, damaged: 'the entry is not the one that was hashed' };
  return { ...entry, hash: row.hash };
};

/** A damaged row may be anybody's: it is always shown. */
const fits = (listed: ListedEntry, { action, actor, subject }: EntriesQuery): boolean => {
  if ('damaged' in listed) return true;
  if (action !== undefined && listed.action !== action) return false;
  if (actor !== undefined && listed.actor !== actor) return false;
  return subject === undefined || listed.subject === subject || subjectsIn(listed).includes(subject);
};

const subjectsIn = ({ details }: Entry): string[] =>
  (changesSchema.safeParse(details).data?.changes ?? []).map(({ table, key }) => `${table}/${key}`);
