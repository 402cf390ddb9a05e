/** Records of tables' streams as Lambda hands them over, of writes that the product, or somebody else, might have made. */
import type { AttributeValue, Image } from '../../src/audit/attribute.ts';
import { toImage } from '../../src/audit/attribute.ts';
import { type Author, makeStamp, nextVersion } from '../../src/audit/stamp.ts';
import { type AuditedTable, type Deployment, tableKeys, tableName } from '../../src/names.ts';

export interface StreamRecord {
  eventID: string;
  eventName: 'INSERT' | 'MODIFY' | 'REMOVE';
  eventSourceARN: string;
  userIdentity?: unknown;
  dynamodb: {
    ApproximateCreationDateTime: number;
    Keys: Image;
    OldImage?: Image;
    NewImage?: Image;
    SequenceNumber: string;
    SizeBytes: number;
    StreamViewType: string;
  };
}

/** As DynamoDB makes them, in its order. Binary in images is Base64, as in any Lambda event. */
export const streamRecords = (deployment: Deployment, prefix = 'event') => {
  let count = 0;
  return (
    table: AuditedTable,
    before: Image | undefined,
    after: Image | undefined,
    { at, userIdentity }: { readonly at: number; readonly userIdentity?: unknown },
  ): StreamRecord => {
    count += 1;
    const keyName = tableKeys[table];
    const key = (after ?? before)?.[keyName];
    if (key === undefined) throw new Error('a row without its key');
    return {
      eventID: `${prefix}-${count}`,
      eventName: before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY',
      eventSourceARN: `arn:aws:dynamodb:us-east-1:000000000000:table/${tableName(deployment, table)}/stream/2026-11-23T08:00:00.000`,
      ...(userIdentity === undefined ? {} : { userIdentity }),
      dynamodb: {
        ApproximateCreationDateTime: Math.floor(at / 1_000),
        Keys: { [keyName]: key },
        ...(before === undefined ? {} : { OldImage: before }),
        ...(after === undefined ? {} : { NewImage: after }),
        SequenceNumber: String(count).padStart(21, '0'),
        SizeBytes: 100,
        StreamViewType: 'NEW_AND_OLD_IMAGES',
      },
    };
  };
};

const without = (image: Image, names: readonly string[]): Image =>
  Object.fromEntries(Object.entries(image).filter(([name]) => !names.includes(name)));

export interface ProductWrite {
  readonly action: string;
  readonly at: number;
  readonly set?: Readonly<Record<string, unknown>>;
  readonly remove?: readonly string[];
  readonly author?: Author;
}

export const someAuthor: Author = { actor: 'admin-1', request_id: 'request-1' };

/** The row after a write of the product's. */
export const productWrites =
  (deployment: Deployment, stampKey: Uint8Array) =>
  (
    table: AuditedTable,
    key: string,
    before: Image | undefined,
    { action, at, set = {}, remove = [], author = someAuthor }: ProductWrite,
  ): Image => {
    const version = nextVersion(before?.row_version?.N === undefined ? undefined : Number(before.row_version.N));
    const values = toImage(before === undefined ? { ...set, [tableKeys[table]]: key } : set);
    const stamp = makeStamp(
      stampKey,
      { deployment, table, key, version },
      { author, action, at, set: values, removed: remove },
    );
    return { ...without(before ?? {}, remove), ...values, ...toImage({ row_version: version, stamp }) };
  };

/** The row after somebody's `aws dynamodb update-item`, or a put that keeps the rest. */
export const edited = (
  row: Image,
  set: Readonly<Record<string, AttributeValue>>,
  remove: readonly string[] = [],
): Image => ({
  ...without(row, remove),
  ...set,
});
