/** What of the drafts one DynamoDB transaction takes: the entries, and a mark for each of their events. */
import { TransactionCanceledException, TransactionInProgressException } from '@aws-sdk/client-dynamodb';
import { TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { unchanged } from '../aws/unchanged.ts';
import { auditKeys, tableName } from '../names.ts';
import { type Draft, type EntryRow, entryBytes, entryHash } from './entry.ts';
import { mergeDrafts } from './merge.ts';
import type { Found, Position } from './position.ts';
import { sealEntry } from './seal.ts';
import { type Planted, putMark } from './seen.ts';
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

/** As many of the drafts as fit, at least one. */
export const buildChunk = (
  world: Pick<AuditWorld, 'deployment' | 'now'>,
  stampKey: Uint8Array,
  start: Position,
  drafts: readonly Draft[],
): Chunk => {
  const rows: EntryRow[] = [];
  const events = new Map<string, number>();
  let position = start;
  let taken = 0;
  let bytes = 0;
  for (const { draft, of } of mergeDrafts(drafts)) {
    const next = nextRow(world, stampKey, position, draft);
    bytes += next.row.entry.length;
    const items = rows.length + 1 + events.size + draft.event_ids.length;
    if (rows.length > 0 && (items > mostItems || bytes > mostBytes)) break;
    rows.push(next.row);
    for (const event_id of draft.event_ids) events.set(event_id, next.row.sequence);
    position = next.position;
    taken += of.length;
  }
  return { rows, events, drafts: taken, position };
};

const nextRow = (
  world: Pick<AuditWorld, 'deployment' | 'now'>,
  stampKey: Uint8Array,
  { size, hash: previous, frontier, appended_at: before }: Position,
  { event_ids, time, action, actor, request_id, subject, details }: Draft,
): { readonly row: EntryRow; readonly position: Position } => {
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
    position: { size: sequence, hash, frontier: grown, appended_at },
  };
};

export interface Refused {
  /** Events that have been marked by another transaction. */
  readonly marked: readonly string[];
  /** Where an entry was to stand, there is one; or another transaction was at the same items. */
  readonly moved: boolean;
}

/** What stands in the way and is to be replaced, if it is still what was read. */
interface InTheWay {
  readonly foreign: Found['foreign'];
  readonly planted: ReadonlyMap<string, Planted>;
}

type Item = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

const putRow = (world: AuditWorld, row: EntryRow, foreign: Found['foreign']): Item => {
  const there = foreign.get(row.sequence);
  const condition = there && unchanged(there, ['entry', 'hash']);
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
    if (!(error instanceof TransactionCanceledException)) throw error;
    const codes = (error.CancellationReasons ?? []).map(({ Code }) => Code ?? 'None');
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

/** Another writer was faster, or DynamoDB is not ready for more. */
const retried = new Set([
  'None',
  'ConditionalCheckFailed',
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
]);
