/** A change of an audited row, declared; and the write that it becomes: stamped, and only over the row that was read. */
import { isDeepStrictEqual } from 'node:util';
import type { TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { toImage } from '../audit/attribute.ts';
import { type Author, makeStamp, nextVersion, type Stamp, stampAttribute, versionAttribute } from '../audit/stamp.ts';
import { type AuditedTable, tableKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type Condition, type Row, unchanged } from './unchanged.ts';

export interface Change {
  readonly table: AuditedTable;
  /** The value of the row's key. */
  readonly key: string;
  /** The row as it was read, strongly consistently; undefined: there was none, and it is made. */
  readonly row: Row | undefined;
  /** What the audit calls it: `principal_suspended`. */
  readonly action: string;
  readonly set?: Readonly<Record<string, unknown>>;
  readonly remove?: readonly string[];
  /** Break-glass edits leave `row_version` alone: that what they may have changed is as it was read. */
  readonly condition?: Condition;
  /** What it means that the row is not the one read: a refusal, or that it must be read again; 'again' if left out. */
  readonly otherwise?: Error | 'again';
}

export type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number];
type Write =
  | { readonly Put: NonNullable<TransactItem['Put']> }
  | { readonly Update: NonNullable<TransactItem['Update']> & { readonly UpdateExpression: string } };

/** One change, ready to be sent. */
export interface StampedWrite {
  readonly write: Write;
  readonly version: number;
  readonly stamp: Stamp;
}

/** A condition on the key, which every row has, and another one besides. */
const expecting = (
  term: string,
  keyName: string,
  more: Condition | undefined,
  values: Record<string, unknown> = {},
) => ({
  ConditionExpression: more === undefined ? term : `${term} AND (${more.expression})`,
  ExpressionAttributeNames: { '#key': keyName, ...more?.names },
  ...(Object.keys({ ...values, ...more?.values }).length === 0
    ? {}
    : { ExpressionAttributeValues: { ...values, ...more?.values } }),
});

const both = (one: Condition, other: Condition | undefined): Condition =>
  other === undefined
    ? one
    : {
        expression: `${one.expression} AND (${other.expression})`,
        names: { ...one.names, ...other.names },
        values: { ...one.values, ...other.values },
      };

/** What makes writes of one author's changes, at one time; made anew for each attempt. */
export const stamping = async (world: World, author: Author): Promise<(change: Change) => StampedWrite> => {
  const { deployment } = world;
  const stampKey = await world.stampKey();
  const at = world.now();
  return ({ table, key, row, action, set = {}, remove = [], condition }) => {
    const TableName = tableName(deployment, table);
    const keyName = tableKeys[table];
    const version = nextVersion(row?.[versionAttribute]);
    // What makes a row sets its key too.
    const values = row === undefined ? { ...set, [keyName]: key } : set;
    const image = toImage(values);
    const stamp = makeStamp(
      stampKey,
      { deployment, table, key, version },
      { author, action, at, set: image, removed: remove },
    );
    const own = { [versionAttribute]: version, [stampAttribute]: stamp };
    if (row === undefined) {
      const expected = expecting('attribute_not_exists(#key)', keyName, condition);
      return { write: { Put: { TableName, Item: { ...values, ...own }, ...expected } }, version, stamp };
    }
    const sets = Object.entries({ ...set, ...own }).filter(([, value]) => value !== undefined);
    const { ExpressionAttributeNames, ...expected } = expecting(
      'attribute_exists(#key)',
      keyName,
      both(unchanged(row, [versionAttribute]), condition),
      Object.fromEntries(sets.map(([, value], index) => [`:set${index}`, value])),
    );
    const assignments = sets.map((_, index) => `#set${index} = :set${index}`).join(', ');
    const removals = remove.map((_, index) => `#remove${index}`).join(', ');
    return {
      write: {
        Update: {
          TableName,
          Key: { [keyName]: key },
          UpdateExpression: `SET ${assignments}${removals && ` REMOVE ${removals}`}`,
          ...expected,
          ExpressionAttributeNames: {
            ...ExpressionAttributeNames,
            ...Object.fromEntries(sets.map(([name], index) => [`#set${index}`, name])),
            ...Object.fromEntries(remove.map((name, index) => [`#remove${index}`, name])),
          },
        },
      },
      version,
      stamp,
    };
  };
};

/** Whether a row is what this very write left. */
export const bearsStamp = (row: Row | undefined, stamp: Stamp): boolean =>
  isDeepStrictEqual(row?.[stampAttribute], stamp);
