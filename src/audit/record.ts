/** One record of a table's stream as Lambda hands it over, checked, whatever somebody typed into the row. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type AuditedTable, auditedTables, type Deployment, tableKeys, tableName } from '../names.ts';
import type { AttributeValue, Image } from './attribute.ts';

export interface ChangedRow {
  readonly table: AuditedTable;
  /** The value of the row's key. */
  readonly key: string;
  /** Without a prototype, as any attribute may have any name; undefined where the row did not exist. */
  readonly before: Image | undefined;
  readonly after: Image | undefined;
  /** When the write happened, ms, as exactly as the stream says it: to the second. */
  readonly time: number;
  /** Deleted by DynamoDB itself, at the end of the row's time to live. */
  readonly expired: boolean;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isList = (value: unknown, of: (element: unknown) => boolean): boolean => Array.isArray(value) && value.every(of);
const isMap = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isAttribute);

/** Numbers are strings, binary is Base64. */
const contents: Readonly<Record<string, (content: unknown) => boolean>> = {
  S: isText,
  N: isText,
  B: isText,
  BOOL: (content) => typeof content === 'boolean',
  NULL: (content) => content === true,
  SS: (content) => isList(content, isText),
  NS: (content) => isList(content, isText),
  BS: (content) => isList(content, isText),
  L: (content) => isList(content, isAttribute),
  M: isMap,
};

function isAttribute(value: unknown): value is AttributeValue {
  if (typeof value !== 'object' || value === null) return false;
  const [entry, ...more] = Object.entries(value);
  return (
    entry !== undefined && more.length === 0 && Object.hasOwn(contents, entry[0]) && !!contents[entry[0]]?.(entry[1])
  );
}

const imageSchema = z
  .custom<Image>(isMap, 'must be attributes')
  .transform((image): Image => Object.assign(Object.create(null), image));

const recordSchema = z.object({
  eventName: z.enum(['INSERT', 'MODIFY', 'REMOVE']),
  eventSourceARN: z.string(),
  userIdentity: z.unknown().optional(),
  dynamodb: z.object({
    /** Seconds. */
    ApproximateCreationDateTime: z.number().min(0).max(8.64e12),
    Keys: imageSchema,
    OldImage: imageSchema.optional(),
    NewImage: imageSchema.optional(),
  }),
});

const timeToLive = z.object({ type: z.literal('Service'), principalId: z.literal('dynamodb.amazonaws.com') });

const tableOf = (deployment: Deployment, arn: string): AuditedTable => {
  const named = /:table\/([^/]+)\/stream\//.exec(arn)?.[1];
  const table = auditedTables.find((one) => tableName(deployment, one) === named);
  if (table === undefined) throw new Error('a stream of no audited table');
  return table;
};

/** @throws Error, ZodError for what no stream with both images of an audited table says */
export const readRecord = (deployment: Deployment, record: unknown): ChangedRow => {
  const { eventName, eventSourceARN, userIdentity, dynamodb } = recordSchema.parse(record);
  const table = tableOf(deployment, eventSourceARN);
  const key = dynamodb.Keys[tableKeys[table]]?.S;
  const before = eventName === 'INSERT' ? undefined : dynamodb.OldImage;
  const after = eventName === 'REMOVE' ? undefined : dynamodb.NewImage;
  if (key === undefined) throw new Error('a row without its key');
  if ((before === undefined) !== (eventName === 'INSERT') || (after === undefined) !== (eventName === 'REMOVE'))
    throw new Error('a stream without both images');
  return {
    table,
    key,
    before,
    after,
    time: Math.round(dynamodb.ApproximateCreationDateTime * 1_000),
    expired: eventName === 'REMOVE' && timeToLive.safeParse(userIdentity).success,
  };
};

const named = z.object({ eventID: z.string().min(1).max(200) });

/** The record's own id; of one that has none, an id of what it says, so that it too is entered once. */
export const recordId = (record: unknown): string =>
  `stream:${
    named.safeParse(record).data?.eventID ??
    createHash('sha256')
      .update(JSON.stringify(record) ?? '')
      .digest('hex')
  }`;
