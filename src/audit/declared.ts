/** How the rows of a table are declared: what of them is worth an entry, by patterns of their keys. */

export interface Declared {
  /** A verified write that changes nothing else makes no entry. */
  readonly bookkeeping: ReadonlySet<string> | 'all';
  /** Stands in entries as it is. What is not named here may be secret, and never does. */
  readonly shown: ReadonlySet<string>;
  /** At this attribute's time, seconds since the epoch, DynamoDB deletes the row; of no other row it is believed. */
  readonly expires?: string;
  /** The key of the row, of the same table, that this one repeats: entries tell of that one. */
  readonly copyOf?: string;
}

export const declare = (
  bookkeeping: readonly string[] | 'all',
  shown: readonly string[],
  more: Pick<Declared, 'expires' | 'copyOf'> = {},
): Declared => ({
  bookkeeping: bookkeeping === 'all' ? bookkeeping : new Set(bookkeeping),
  shown: new Set(shown),
  ...more,
});

/** A key, or with a star at its end all keys that begin so; of those that fit, the longest holds. */
export type Patterns = Readonly<Record<string, Declared>> & { readonly '*': Declared };

export interface DeclaredRows {
  readonly of: (rowKey: string) => Declared;
  /** Rows that repeat another one, by key: the key of that one. */
  readonly copies: ReadonlyMap<string, string>;
}

export const rows = (patterns: Patterns): DeclaredRows => {
  const all = Object.entries(patterns);
  const exact = new Map(all.filter(([pattern]) => !pattern.endsWith('*')));
  const prefixes = all
    .filter(([pattern]) => pattern.endsWith('*'))
    .map(([pattern, declared]) => [pattern.slice(0, -1), declared] as const)
    .sort(([one], [other]) => other.length - one.length);
  return {
    of: (rowKey) => exact.get(rowKey) ?? prefixes.find(([prefix]) => rowKey.startsWith(prefix))?.[1] ?? patterns['*'],
    copies: new Map([...exact].flatMap(([key, { copyOf }]) => (copyOf === undefined ? [] : [[key, copyOf] as const]))),
  };
};
