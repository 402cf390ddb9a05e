/** What a put changes in a row: what it sets, and which attributes it takes away. */
import { isDeepStrictEqual } from 'node:util';
import type { Change } from '../aws/change.ts';
import type { Row } from '../aws/unchanged.ts';

type Values = Readonly<Record<string, unknown>>;

/** null: the row says all of it already. An undefined value is one that the row is not to have. */
export const changed = (row: Row | undefined, values: Values): Required<Pick<Change, 'set' | 'remove'>> | null => {
  const differing = Object.entries(values).filter(([name, value]) => !isDeepStrictEqual(row?.[name], value));
  if (row !== undefined && differing.length === 0) return null;
  return {
    set: Object.fromEntries(differing.filter(([, value]) => value !== undefined)),
    remove: row === undefined ? [] : differing.flatMap(([name, value]) => (value === undefined ? [name] : [])),
  };
};
