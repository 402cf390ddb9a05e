/** The condition that a row which somebody planted is still that one, without sending back what it says at length. */
import { type Condition, type Row, unchanged } from '../aws/unchanged.ts';

/** Characters or bytes that are compared; of what is longer, its beginning. */
const compared = 512;

type Long = string | Uint8Array;
const isLong = (value: unknown): value is Long =>
  (typeof value === 'string' || value instanceof Uint8Array) && value.length > compared;

/** A character of two code units is not cut in two. */
const beginningOf = (value: Long): Long =>
  typeof value === 'string' ? value.slice(0, compared).replace(/[\ud800-\udbff]$/, '') : value.slice(0, compared);

/** As `unchanged`: what the product itself puts in the place of such a row is not met by it. */
export const stillThere = (row: Row, attributes: readonly string[]): Condition => {
  const long = attributes.flatMap((attribute) => {
    const value = row[attribute];
    return isLong(value) ? [{ attribute, value }] : [];
  });
  const rest = attributes.filter((attribute) => !long.some((one) => one.attribute === attribute));
  const { expression, names, values } = unchanged(row, rest);
  for (const { attribute, value } of long) {
    names[`#long_${attribute}`] = attribute;
    values[`:long_${attribute}`] = beginningOf(value);
  }
  const terms = long.map(({ attribute }) => `begins_with(#long_${attribute}, :long_${attribute})`);
  return { expression: [...(rest.length === 0 ? [] : [expression]), ...terms].join(' AND '), names, values };
};
