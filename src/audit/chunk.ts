/** What of the drafts one DynamoDB transaction takes: the entries, and a mark for each of their events. */
import {
  DynamoDBServiceException,
  TransactionCanceledException,
  TransactionInProgressException,
} from '@aws-sdk/client-dynamodb';
import { TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { auditKeys, tableName } from '../names.ts';
import { type Draft, type EntryRow, entryBytes, entryHash } from './entry.ts';
import { groupForeign } from './foreign.ts';
import { type Merged, mergeDrafts } from './merge.ts';
import type { Found, Position } from './position.ts';
import { sealEntry } from './seal.ts';
import { type Planted, putMark } from './seen.ts';
import { stillThere } from './still-there.ts';
import { addLeaf } from './tree.ts';
import type { AuditWorld } from './world.ts';

export interface Chunk {
  readonly rows: readonly EntryRow[];
  /** By event, the entry that tells of it. */
  readonly events: ReadonlyMap<string, number>;
  /** How many of the drafts it takes, from the first one on. */
  readonly drafts: number;
  /** The chain's end after it. */
  readonly position: Position;
}

/** DynamoDB takes 100 items and 4 MB in one transaction, and 400 KB an item. */
const mostItems = 100;
const mostBytes = 3_000_000;
const mostDetails = 300_000;
/** A row's attribute names, numbers and condition; a mark without its event. */
const besides = 300;
/** What is replaced counts as if it were the largest item: nobody says that DynamoDB weighs only what is written. */
const replaced = 400_000;

/** What stands in the way and is to be replaced, if it is still what was read. */
export interface InTheWay {
  readonly foreign: Found['foreign'];
  readonly planted: ReadonlyMap<string, Planted>;
}
const nothing: InTheWay = { foreign: new Map(), planted: new Map() };

const weigh = ({ row }: Next, { event_ids }: Draft, { foreign, planted }: InTheWay): number =>
  Buffer.byteLength(JSON.stringify({ ...row, entry: '' })) +
  Buffer.byteLength(row.entry) +
  besides +
  (foreign.has(row.sequence) ? replaced : 0) +
  event_ids
    .map((event_id) => Buffer.byteLength(event_id) + besides + (planted.has(event_id) ? replaced : 0))
    .reduce((sum, bytes) => sum + bytes, 0);

/** As many of the drafts as fit, at least one. `to`: the last place that is known. */
export const buildChunk = (
  world: Pick<AuditWorld, 'deployment' | 'now'>,
  stampKey: Uint8Array,
  start: Position,
  drafts: readonly Draft[],
  { to = Number.MAX_SAFE_INTEGER, ...inTheWay }: InTheWay & { readonly to?: number | undefined } = nothing,
): Chunk => {
  const rows: EntryRow[] = [];
  const events = new Map<string, number>();
  let position = start;
  let taken = 0;
  let bytes = 0;
  for (const { draft, of } of mergeAll(drafts)) {
    const next = nextRow(world, stampKey, position, draft);
    bytes += weigh(next, draft, inTheWay);
    const items = rows.length + 1 + events.size + draft.event_ids.length;
    const isFull = next.row.sequence > to || items > mostItems || bytes > mostBytes;
    if (rows.length > 0 && isFull) break;
    rows.push(next.row);
    for (const event_id of draft.event_ids) events.set(event_id, next.row.sequence);
    position = next.position;
    taken += of.length;
  }
  return { rows, events, drafts: taken, position };
};

const mergeAll = (drafts: readonly Draft[]): Merged[] => {
  const foreign = groupForeign(drafts);
  return [...foreign, ...mergeDrafts(drafts.slice(foreign[0]?.of.length ?? 0))];
};

interface Next {
  readonly row: EntryRow;
  readonly position: Position;
}

const nextRow = (
  world: Pick<AuditWorld, 'deployment' | 'now'>,
  stampKey: Uint8Array,
  { size, hash: previous, frontier, appended_at: before, ...rest }: Position,
  { event_ids, time, action, actor, request_id, subject, details }: Draft,
): Next => {
  const sequence = size + 1;
  const appended_at = Math.max(world.now(), before);
  const sealed = sealEntry(stampKey, world.deployment, {
    sequence,
    time,
    appended_at,
    action,
    actor,
    request_id,
    subject,
    details: Buffer.byteLength(JSON.stringify(details)) > mostDetails ? { truncated: true } : details,
    event_ids: [...event_ids],
    previous,
  });
  const entry = entryBytes(sealed);
  const hash = entryHash(entry);
  const { frontier: grown, completed: nodes } = addLeaf(frontier, hash);
  return {
    row: { sequence, entry, hash, action, nodes },
    position: { ...rest, size: sequence, hash, frontier: grown, appended_at },
  };
};

export interface Refused {
  /** Events that have been marked by another transaction. */
  readonly marked: readonly string[];
  /** Where an entry was to stand, there is one; or another transaction was at the same items. */
  readonly moved: boolean;
  /** DynamoDB does not take it as it is, however often it is asked. */
  readonly unfit?: Error;
}

type Item = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

const putRow = (world: AuditWorld, row: EntryRow, foreign: Found['foreign']): Item => {
  const there = foreign.get(row.sequence);
  const condition = there && stillThere(there, ['entry', 'hash']);
  return {
    Put: {
      TableName: tableName(world.deployment, 'audit'),
      Item: { chain: auditKeys.chain, ...row },
      ...(condition === undefined
        ? { ConditionExpression: 'attribute_not_exists(chain)' }
        : {
            ConditionExpression: condition.expression,
            ExpressionAttributeNames: condition.names,
            ...(Object.keys(condition.values).length === 0 ? {} : { ExpressionAttributeValues: condition.values }),
          }),
    },
  };
};

/** Writes all of it, or nothing. A lost answer is asked for again by the SDK under the same token. */
export const writeChunk = async (
  world: AuditWorld,
  { rows, events }: Chunk,
  { foreign, planted }: InTheWay,
): Promise<Refused | null> => {
  const marks = [...events];
  try {
    await world.documents.send(
      new TransactWriteCommand({
        TransactItems: [
          ...rows.map((row) => putRow(world, row, foreign)),
          ...marks.map(([event_id, sequence]) => putMark(world, event_id, sequence, planted.get(event_id))),
        ],
      }),
    );
    return null;
  } catch (error) {
    if (error instanceof TransactionInProgressException) return { marked: [], moved: true };
    if (error instanceof DynamoDBServiceException && error.name === 'ValidationException') return unfit(error);
    if (!(error instanceof TransactionCanceledException)) throw error;
    const codes = (error.CancellationReasons ?? []).map(({ Code }) => Code ?? 'None');
    if (codes.includes('ValidationError')) return unfit(error);
    if (codes.some((code) => !retried.has(code))) throw error;
    const marked = marks.flatMap(([event_id], index) =>
      codes[rows.length + index] === 'ConditionalCheckFailed' ? [event_id] : [],
    );
    const moved = codes.some(
      (code, index) => code !== 'None' && (index < rows.length || code !== 'ConditionalCheckFailed'),
    );
    return { marked, moved: moved || marked.length === 0 };
  }
};

const unfit = (error: Error): Refused => ({ marked: [], moved: false, unfit: error });

/** Another writer was faster, or DynamoDB is not ready for more. */
const retried = new Set([
  'None',
  'ConditionalCheckFailed',
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
]);
