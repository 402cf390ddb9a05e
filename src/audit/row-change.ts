/** A change of one row, as an entry's details hold it under `changes`. */
import { z } from 'zod';
import { auditedTables, tableKeys } from '../names.ts';
import { type Image, sameAttribute } from './attribute.ts';
import { showValue } from './audited.ts';
import { comparedNames, rowDigest } from './compared.ts';
import type { ChangedRow } from './record.ts';
import { shownValuesSchema } from './shown-values.ts';
import { ownAttributes } from './stamp.ts';

export const rowChangeSchema = z.strictObject({
  table: z.enum(auditedTables),
  /** The value of the row's key. */
  key: z.string(),
  /** `row_version` after a verified write; another entry never has the same of the same row. */
  version: z.number().int().optional(),
  /** By attribute, what `showValue` makes of the value. */
  set: shownValuesSchema,
  removed: z.array(z.string()),
  /** What `set` and `removed` took the place of; only where the change did not come from the product. */
  before: shownValuesSchema.optional(),
  created: z.literal(true).optional(),
  deleted: z.literal(true).optional(),
  /** `set` is all that the row has afterwards; it had too much to be known by each change alone. */
  whole: z.literal(true).optional(),
  /** `rowDigest` of the row afterwards, where it has too much to be known by each change alone. */
  row: z.string().optional(),
  /** There was too much for an entry: `set`, `removed` and `before` are empty, `names` are the attributes, cut short. */
  truncated: z.literal(true).optional(),
  /** Also of a whole row, instead of what is too much of `removed` and `before`. */
  names: z.array(z.string()).optional(),
});
export type RowChange = z.infer<typeof rowChangeSchema>;

/** The details of an entry that tells of rows, and of nothing else. */
export const rowChangesSchema = z.strictObject({ changes: z.array(rowChangeSchema) });

/** Characters of JSON that the changes of one entry may have: far less than the 400 KB of a DynamoDB item. */
export const mostDetails = 60_000;

const mostNames = 100;
const longestName = 200;

const shown = (stampKey: Uint8Array, { table, key }: ChangedRow, image: Image | undefined, names: readonly string[]) =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = image?.[name];
      return value === undefined ? [] : [[name, showValue(stampKey, table, key, name, value)]];
    }),
  );

/** What differs between the images, but the key and what every product write sets anyway. */
export const changedNames = ({ table, before, after }: ChangedRow): string[] =>
  [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])]
    .filter((name) => name !== tableKeys[table] && !ownAttributes.has(name))
    .filter((name) => !sameAttribute(before?.[name], after?.[name]))
    .sort();

/** More than any row of the product has, and less than an entry's details hold: attributes, characters of their names. */
const usualAttributes = 64;
const usualNames = 2_000;

const isUnusual = (image: Image | undefined): boolean => {
  const names = Object.keys(image ?? {});
  return names.length > usualAttributes || JSON.stringify(names).length > usualNames;
};

/** The change as an entry tells it, as far as these attributes go. `whole`: and all else that the row has. */
export const describeChange = (
  stampKey: Uint8Array,
  row: ChangedRow,
  names: readonly string[],
  {
    version,
    showBefore = false,
    whole = false,
  }: { readonly version?: number; readonly showBefore?: boolean; readonly whole?: boolean } = {},
): RowChange => {
  const { table, key, before, after } = row;
  const isWhole = after !== undefined && !isUnusual(after) && (whole || isUnusual(before));
  const told =
    after !== undefined && (whole || isWhole) ? [...new Set([...names, ...comparedNames(row, after)])].sort() : names;
  return boundedChange({
    table,
    key,
    ...(version === undefined ? {} : { version }),
    set: shown(stampKey, row, after, told),
    removed: after === undefined ? [] : names.filter((name) => after[name] === undefined),
    ...(showBefore && before !== undefined ? { before: shown(stampKey, row, before, names) } : {}),
    ...(before === undefined ? { created: true } : {}),
    ...(after === undefined ? { deleted: true } : {}),
    ...(isWhole ? { whole: true } : {}),
    ...(after !== undefined && isUnusual(after) ? { row: rowDigest(stampKey, row, after) } : {}),
  });
};

const namesOf = ({ set, removed, before, names }: RowChange): string[] => {
  const all = new Set([...Object.keys(set), ...removed, ...Object.keys(before ?? {}), ...(names ?? [])]);
  return [...all]
    .sort()
    .slice(0, mostNames)
    .map((name) => name.slice(0, longestName));
};

/** The change, or where it is too large for an entry its attributes' names. */
const boundedChange = (change: RowChange): RowChange => {
  const { row, whole, deleted } = change;
  const canBeCut = row !== undefined || whole || deleted;
  if (!canBeCut || JSON.stringify(change).length <= mostDetails) return change;
  const { before: _before, ...rest } = change;
  const cut = { ...rest, removed: [], names: namesOf(change) };
  return whole ? cut : { ...cut, set: {}, truncated: true };
};

/** Names of the attributes that an entry's details tell of; for a line of log. */
export const attributesIn = (details: unknown): string[] => {
  const { data } = z.looseObject({ changes: z.array(rowChangeSchema) }).safeParse(details);
  return [...new Set((data?.changes ?? []).flatMap(namesOf))];
};
