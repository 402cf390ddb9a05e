/** Lists the audit's entries, the newest first, a page at a time. */
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import { wholeOf } from '../aws/exact-number.ts';
import { auditByAction, auditKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type Item, readChainRows, type Start, sequenceText, startBefore } from './chain-rows.ts';
import { type Entry, entryHash, readEntry } from './entry.ts';

export interface EntriesQuery {
  readonly action?: string | undefined;
  readonly actor?: string | undefined;
  /** As an entry has it, or one of the rows that a batch's entry names in its details. */
  readonly subject?: string | undefined;
  /** ms since the epoch: nothing that was entered before. */
  readonly since?: number | undefined;
  readonly limit: number;
  /** Where the page before said to go on. */
  readonly after?: number | undefined;
}

export type ListedEntry =
  | (Entry & { readonly hash: string })
  /** A row that is no entry as the product writes them; verifying the chain says more. */
  | { readonly sequence: number; readonly damaged: string };

export interface EntriesPage {
  readonly entries: readonly ListedEntry[];
  /** Where to go on: before an entry of this sequence, or, where a half is added, with it. Absent when there is nothing more. */
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
const changesSchema = z.looseObject({ changes: z.array(z.looseObject({ table: z.string(), key: z.string() })) });

/** By `action`, `actor` and `subject` exactly. By action the newest entries of the last moment may still be missing. */
export const listEntries = async (world: World, query: EntriesQuery): Promise<EntriesPage> => {
  const { limit, since = Number.NEGATIVE_INFINITY } = query;
  const read = query.action === undefined ? readChain : readByAction;
  const entries: ListedEntry[] = [];
  let bytes = 0;
  let older = 0;
  let start = query.after === undefined ? undefined : startOf(query.after);
  for (let reads = 0; reads < mostReads; reads += 1) {
    const { rows, next } = await read(world, query, start);
    for (const row of rows) {
      const listed = listedEntry(row);
      const isOlder = !('damaged' in listed) && listed.appended_at < since;
      older = isOlder ? older + 1 : 0;
      if (older === enoughOlder) return { entries };
      if (!isOlder && fits(listed, query)) {
        bytes += Buffer.byteLength(JSON.stringify(listed));
        if (entries.length === limit || (entries.length > 0 && bytes > pageBytes)) return pageOf(entries, start);
        entries.push(listed);
      }
      start = startBefore(sequenceText(row)) ?? start;
    }
    if (next === null) return { entries };
    start = next;
  }
  return pageOf(entries, start);
};

const startOf = (after: number): Start => ({ at: Math.floor(after), exclusive: Number.isInteger(after) });

const pageOf = (entries: readonly ListedEntry[], start: Start | undefined): EntriesPage => ({
  entries,
  ...(start === undefined ? {} : { next: start.exclusive ? start.at : start.at + 0.5 }),
});

/** Rows with falling sequences, and where to go on. */
interface Read {
  readonly rows: readonly Item[];
  readonly next: Start | null;
}

const newest: Start = { at: Number.MAX_SAFE_INTEGER, exclusive: false };

const readChain = (
  world: World,
  { actor, subject, since, limit }: EntriesQuery,
  start: Start | undefined,
): Promise<Read> =>
  readChainRows(world, {
    start: start ?? newest,
    end: Number.MIN_SAFE_INTEGER,
    newestFirst: true,
    limit:
      actor !== undefined || subject !== undefined ? filteredRows : limit + 1 + (since === undefined ? 0 : enoughOlder),
  });

/** Whatever else stands in the index at an entry's sequence: the entry is read. */
const readByAction = async (world: World, { action = '' }: EntriesQuery, start: Start = newest): Promise<Read> => {
  const table = tableName(world.deployment, 'audit');
  const { Items = [], LastEvaluatedKey } = await world.documents.send(
    new QueryCommand({
      TableName: table,
      IndexName: auditByAction,
      KeyConditionExpression: '#action = :action AND #sequence BETWEEN :least AND :most',
      ExpressionAttributeNames: { '#sequence': 'sequence', '#action': 'action' },
      ExpressionAttributeValues: {
        ':action': { S: action },
        ':least': { N: String(Number.MIN_SAFE_INTEGER) },
        ':most': { N: String(start.exclusive ? start.at - 1 : start.at) },
      },
      ScanIndexForward: false,
      Limit: indexRows,
    }),
  );
  const places = Items.map((item) => wholeOf(item.sequence?.N ?? ''));
  const sequences = new Set(places.filter(({ exact }) => exact).map(({ floor }) => floor));
  const keys = [...sequences].map((sequence) => ({ chain: auditKeys.chain, sequence }));
  const rows = await batchGet(world, table, keys);
  const last = LastEvaluatedKey?.sequence?.N;
  return {
    rows: rows.sort((one, other) => Number(other.sequence) - Number(one.sequence)),
    next: last === undefined ? null : startBefore(last),
  };
};

const listedEntry = (item: Item): ListedEntry => {
  const text = sequenceText(item);
  const sequence = Number(text);
  if (typeof item.sequence !== 'number') return { sequence, damaged: `a row at ${text}, where no entry stands` };
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
