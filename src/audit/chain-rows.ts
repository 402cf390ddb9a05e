/**
 * Reads what stands in the chain's place, by whole numbers. Somebody may have put rows at any of the 38 digits that a key
 * has between two entries: each read gets strictly further, and no entry is passed over for them.
 */
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { type Digits, exactNumber, wholeOf } from '../aws/exact-number.ts';
import { auditKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';

/** Numbers are numbers where they are whole ones, `sequence` too; else `Digits`. */
export type Item = Readonly<Record<string, unknown>>;

/** Where a read begins: at a whole number, or right after it (before it, where the newest come first). */
export interface Start {
  readonly at: number;
  readonly exclusive: boolean;
}

export interface ChainRows {
  readonly rows: readonly Item[];
  /** Where to go on; null where nothing is left. */
  readonly next: Start | null;
}

interface Range {
  /** Absent: with whatever stands before all entries, or after them where the newest come first. */
  readonly start?: Start | undefined;
  /** The last whole number. */
  readonly end?: number | undefined;
  readonly newestFirst?: true;
  readonly limit?: number;
}

/** The largest number that DynamoDB has. */
const largest = `${'9'.repeat(38)}E+88`;

/**
 * Up to 1 MB of rows, strongly consistently. Whoever goes on sees all that is at whole numbers, and at least one row
 * wherever there are any between two of them.
 */
export const readChainRows = async (world: World, { start, end, newestFirst, limit }: Range): Promise<ChainRows> => {
  const first = { N: start === undefined ? `${newestFirst ? '' : '-'}${largest}` : String(start.at) };
  const last = { N: end === undefined ? `${newestFirst ? '-' : ''}${largest}` : String(end) };
  const chain = { S: auditKeys.chain };
  const { Items = [], LastEvaluatedKey } = await world.documents.send(
    new QueryCommand({
      TableName: tableName(world.deployment, 'audit'),
      KeyConditionExpression: 'chain = :chain AND #sequence BETWEEN :least AND :most',
      ExpressionAttributeNames: { '#sequence': 'sequence' },
      ExpressionAttributeValues: {
        ':chain': chain,
        ':least': newestFirst ? last : first,
        ':most': newestFirst ? first : last,
      },
      ConsistentRead: true,
      ...(start?.exclusive ? { ExclusiveStartKey: { chain, sequence: first } } : {}),
      ...(newestFirst ? { ScanIndexForward: false } : {}),
      ...(limit === undefined ? {} : { Limit: limit }),
    }),
  );
  const rows = Items.map((item) => unmarshall(item, { wrapNumbers: exactNumber }));
  const read = LastEvaluatedKey?.sequence?.N;
  const next = read === undefined ? null : newestFirst ? startBefore(read) : startAfter(read);
  const isLeft = next !== null && (end === undefined || (newestFirst ? next.at >= end : next.at <= end));
  return { rows, next: isLeft ? next : null };
};

/** After a row between two entries comes the next entry, however many more of them there are. */
const startAfter = (read: string): Start | null => {
  const { floor, exact } = wholeOf(read);
  if (floor === Number.MAX_SAFE_INTEGER) return null;
  return exact ? { at: floor, exclusive: true } : { at: Math.max(1, floor + 1), exclusive: false };
};

/** Before a row between two entries comes the earlier one, however many more of them there are. */
export const startBefore = (read: string): Start | null => {
  const { floor, exact } = wholeOf(read);
  return floor === Number.MIN_SAFE_INTEGER ? null : { at: floor, exclusive: exact };
};

/** A row's `sequence` as DynamoDB has it. */
export const sequenceText = ({ sequence }: Item): string => (isDigits(sequence) ? sequence.digits : String(sequence));

const isDigits = (value: unknown): value is Digits => typeof value === 'object' && value !== null && 'digits' in value;
