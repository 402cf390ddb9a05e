/** What of a row the chain and the tables are to agree on, one attribute at a time, or all of it in one digest. */
import { unreadAttribute } from '../aws/images.ts';
import type { AuditedTable } from '../names.ts';
import { canonicalAttribute, type Image } from './attribute.ts';
import { isBookkeeping, originalOf } from './audited.ts';
import { hmac } from './hmac.ts';

export interface RowName {
  readonly table: AuditedTable;
  readonly key: string;
}

/** A copy of another row is what that one is. */
export const isCompared = ({ table, key }: RowName, name: string): boolean =>
  !isBookkeeping(table, originalOf(table, key) ?? key, name);

export const comparedNames = (row: RowName, image: Image): string[] =>
  Object.keys(image)
    .filter((name) => name !== unreadAttribute && isCompared(row, name))
    .sort();

/** No attribute has this name: under it, the digest of all of them is said and compared like one. */
export const wholeRow = '';

/** Tells two states of a row apart to whoever has the key, and says nothing of them to anybody else; hex. */
export const rowDigest = (key: Uint8Array, row: RowName, image: Image): string => {
  const values = comparedNames(row, image).map((name) => [name, canonicalAttribute(image[name] ?? { NULL: true })]);
  const covered = ['everleaf whole row 1', row.table, row.key, values];
  return hmac(key, JSON.stringify(covered)).toString('hex').slice(0, 32);
};
