/**
 * The only writes of audited rows, many at once or one: each says who makes it and what it is, and is stamped. A failed
 * condition stands for a refusal, or for reading again.
 */
import {
  ConditionalCheckFailedException,
  TransactionCanceledException,
  TransactionConflictException,
} from '@aws-sdk/client-dynamodb';
import { DeleteCommand, GetCommand, PutCommand, TransactWriteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { type Author, stampAttribute, versionAttribute } from '../audit/stamp.ts';
import { tableKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { bearsStamp, type Change, type StampedWrite, stamping, type TransactItem } from './change.ts';
import type { Row } from './unchanged.ts';

/** That a row which stays as it is has, or has not, what is said of it. */
export interface Check {
  readonly item: { readonly ConditionCheck: NonNullable<TransactItem['ConditionCheck']> };
  /** What a failed condition means: a refusal, or that what was read is old and must be read again. */
  readonly otherwise: Error | 'again';
}

/** No row may stand in two steps of one transaction. */
export type Step = Check | Change;

/**
 * Writes all steps or none. The first step whose condition fails decides: its refusal is thrown, or 'again' is
 * returned, as it is when another transaction was at the same items. A lost answer is repeated by the SDK under the
 * same token, so it cannot be taken for a refusal.
 */
export const transact = async (world: World, author: Author, steps: readonly Step[]): Promise<'done' | 'again'> => {
  const stamped = await stamping(world, author);
  const items = steps.map((step): TransactItem => ('item' in step ? step.item : stamped(step).write));
  try {
    await world.documents.send(new TransactWriteCommand({ TransactItems: items }));
    return 'done';
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    const codes = (error.CancellationReasons ?? []).map((reason) => reason.Code ?? 'None');
    const failed = steps[codes.indexOf('ConditionalCheckFailed')];
    if (failed !== undefined) {
      const { otherwise = 'again' } = failed;
      if (otherwise !== 'again') throw otherwise;
      return 'again';
    }
    if (codes.includes('TransactionConflict')) return 'again';
    throw error;
  }
};

type Place = Pick<Change, 'table' | 'key'>;

const readRow = async (world: World, { table, key }: Place): Promise<Row | undefined> => {
  const { Item } = await world.documents.send(
    new GetCommand({
      TableName: tableName(world.deployment, table),
      Key: { [tableKeys[table]]: key },
      ConsistentRead: true,
    }),
  );
  return Item;
};

/** 'failed': its condition; 'again': a transaction was at the row. */
const send = async (
  world: World,
  command: PutCommand | UpdateCommand | DeleteCommand,
): Promise<'done' | 'failed' | 'again'> => {
  try {
    // One call for each kind: its overloads know no union.
    if (command instanceof PutCommand) await world.documents.send(command);
    else if (command instanceof UpdateCommand) await world.documents.send(command);
    else await world.documents.send(command);
    return 'done';
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return 'failed';
    if (error instanceof TransactionConflictException) return 'again';
    throw error;
  }
};

const writeStamped = async (world: World, place: Place, { write, stamp }: StampedWrite) => {
  const outcome = await send(world, 'Put' in write ? new PutCommand(write.Put) : new UpdateCommand(write.Update));
  // The SDK repeats a request whose answer was lost; the repetition then meets the row that the first one wrote.
  return outcome === 'failed' && bearsStamp(await readRow(world, place), stamp) ? 'done' : outcome;
};

/** One change by itself. @throws the change's refusal, when the row is not the one that was read */
export const writeRow = async (world: World, author: Author, change: Change): Promise<'done' | 'again'> => {
  const outcome = await writeStamped(world, change, (await stamping(world, author))(change));
  if (outcome !== 'failed') return outcome;
  const { otherwise = 'again' } = change;
  if (otherwise !== 'again') throw otherwise;
  return 'again';
};

export interface Removal extends Pick<Change, 'table' | 'key' | 'condition'> {
  readonly row: Row;
  /** The audit knows a deletion by such a stamp in what was deleted. */
  readonly action: `${string}_deleted`;
}

/**
 * Deletes a row: stamps it, then deletes what bears that very stamp. After a crash between the two the row still stands;
 * read again, it is removed by doing the same again. 'again': it is not the one that was read, or somebody changed it in
 * between. 'done' also where another one deleted it in between.
 */
export const removeRow = async (world: World, author: Author, removal: Removal): Promise<'done' | 'again'> => {
  const { table, key, condition } = removal;
  const stamped = (await stamping(world, author))(removal);
  if ((await writeStamped(world, removal, stamped)) !== 'done') return 'again';
  const more = condition === undefined ? '' : ` AND (${condition.expression})`;
  const outcome = await send(
    world,
    new DeleteCommand({
      TableName: tableName(world.deployment, table),
      Key: { [tableKeys[table]]: key },
      ConditionExpression: `#version = :version AND #stamp = :stamp${more}`,
      ExpressionAttributeNames: { ...condition?.names, '#version': versionAttribute, '#stamp': stampAttribute },
      ExpressionAttributeValues: { ...condition?.values, ':version': stamped.version, ':stamp': stamped.stamp },
    }),
  );
  if (outcome === 'failed' && (await readRow(world, removal)) === undefined) return 'done';
  return outcome === 'done' ? 'done' : 'again';
};
