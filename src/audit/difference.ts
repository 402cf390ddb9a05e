/** What reconciliation enters: each difference once, and at its end that it was made. */
import { hash } from 'node:crypto';
import type { Image } from './attribute.ts';
import { originalOf } from './audited.ts';
import { type RowName, wholeRow } from './compared.ts';
import type { Draft } from './entry.ts';
import { foundActions } from './found-actions.ts';
import type { Repetition } from './replay.ts';
import { describeChange, mostDetails, type RowChange } from './row-change.ts';

/** A row that stayed otherwise than the chain says of it. */
export interface Difference extends RowName {
  /** The row as it is; undefined when there is none. */
  readonly image: Image | undefined;
  /** Attributes by which it differs. */
  readonly names: readonly string[];
  /** Of these attributes, what the chain says; not those that it says are not there. */
  readonly before: Readonly<Record<string, unknown>>;
  /** The chain knows of no such row. */
  readonly unknown: boolean;
  /** The newest entry that said anything of the row; 0 for none. Whoever else finds the difference finds it on the same. */
  readonly since: number;
}

/** As of which entry, by which run, and when (ms) it is told. */
export interface Telling {
  readonly as_of: number;
  readonly run: string;
  readonly now: number;
}

const told = ({ run, now }: Telling) => ({ time: now, request_id: run });

/** A row's key may be as long as the key of the mark that an event leaves may be. */
const rowId = ({ table, key }: RowName): string => hash('sha256', `${table}/${key}`, 'hex').slice(0, 32);

const changeOf = (stampKey: Uint8Array, difference: Difference, { now }: Telling): RowChange => {
  const { table, key, image, before, unknown } = difference;
  const row = { table, key, before: unknown ? undefined : {}, after: image, time: now, expired: false };
  const whole = difference.names.includes(wholeRow);
  const names = difference.names.filter((name) => name !== wholeRow);
  const described = describeChange(stampKey, row, names, { whole });
  const more = {
    ...(image === undefined ? { removed: names.toSorted() } : {}),
    ...(Object.keys(before).length === 0 ? {} : { before }),
  };
  const fits = !described.truncated && JSON.stringify({ ...described, ...more }).length <= mostDetails;
  return fits ? { ...described, ...more } : described;
};

/** Who made it so, nobody knows. Once it is entered, the chain says what the row is. */
export const differenceDraft = (stampKey: Uint8Array, difference: Difference, telling: Telling): Draft => {
  const { table, key, since } = difference;
  const original = originalOf(table, key);
  return {
    event_ids: [`job:reconcile:${rowId(difference)}:${since}`],
    ...told(telling),
    action: foundActions.difference,
    actor: 'unknown',
    subject: `${table}/${key}`,
    details: {
      changes: [changeOf(stampKey, difference, telling)],
      as_of: telling.as_of,
      ...(original === undefined ? {} : { why: `it is not what ${original} is, whose copy it is to be` }),
    },
  };
};

export const repetitionDraft = ({ sequence, why }: Repetition, telling: Telling): Draft => ({
  event_ids: [`job:reconcile:repeated:${sequence}`],
  ...told(telling),
  action: foundActions.difference,
  actor: 'unknown',
  subject: `audit/${sequence}`,
  details: { changes: [], repeated: sequence, why },
});

export interface Reconciliation {
  /** Rows of all tables that were looked at. */
  readonly rows: number;
  /** Entries that were replayed. */
  readonly entries: number;
  readonly differences: number;
  /** Rows that differ and could not be looked at again, for want of time or being too many; the next run does. */
  readonly undecided: number;
  /** Rows in the chain's place that are not, or not any more, as they were appended. */
  readonly foreign: number;
}

export const reconciledDraft = (result: Reconciliation, telling: Telling): Draft => ({
  event_ids: [`job:reconcile:${telling.run}`],
  ...told(telling),
  action: foundActions.reconciled,
  actor: 'function:reconcile-audit',
  subject: 'audit',
  details: { ...result },
});
