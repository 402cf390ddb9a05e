/** Whose a change of a row was: the product's, as a stamp proves that fits; somebody's behind its back; or somebody's who forged a stamp. */
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { Deployment } from '../names.ts';
import { type AttributeValue, type Image, sameAttribute } from './attribute.ts';
import { expiryOf, isBookkeeping } from './audited.ts';
import type { Draft } from './entry.ts';
import { type FoundAction, foundActions } from './found-actions.ts';
import { type ChangedRow, readRecord, recordId } from './record.ts';
import { changedNames, describeChange } from './row-change.ts';
import { nextVersion, type Stamp, stampAttribute, stampSchema, stampVerifies, versionAttribute } from './stamp.ts';

export interface Judging {
  readonly deployment: Deployment;
  readonly stampKey: Uint8Array;
}

/** Whoever it was: a table's stream does not say. */
const unknownActor = 'unknown';

/** A stamp is as old as its write, give or take this (ms): on an older one, somebody put a row back as it had been. */
const stampLasts = 5 * 60_000;

/**
 * What a record of a table's stream is to be entered as; null for a change of the product's own that no entry tells of.
 * @throws for what is no such record; `unreadable` then stands for it
 */
export const judge = (judging: Judging, record: unknown): Draft | null => {
  const row = readRecord(judging.deployment, record);
  const verdict = row.after === undefined ? judgeDeletion(judging, row) : judgeWrite(judging, row, row.after);
  return verdict && { event_ids: [recordId(record)], ...verdict };
};

/** Stands for a record that judging threw on. It may hold anything: of the error, only the name is told. `now` in ms. */
export const unreadable = (record: unknown, error: unknown, now: number): Draft => ({
  event_ids: [recordId(record)],
  time: now,
  action: foundActions.recordUnreadable,
  actor: unknownActor,
  request_id: null,
  subject: streamOf(record),
  details: { error: error instanceof Error ? error.name : typeof error },
});

const longestArn = 300;

const streamOf = (record: unknown): string => {
  const arn =
    typeof record === 'object' && record !== null && 'eventSourceARN' in record ? record.eventSourceARN : undefined;
  return typeof arn === 'string' ? arn.slice(0, longestArn) : unknownActor;
};

type Verdict = Omit<Draft, 'event_ids'>;

const judgeWrite = (judging: Judging, row: ChangedRow, after: Image): Verdict | null => {
  const changed = changedNames(row);
  if (sameAttribute(row.before?.[stampAttribute], after[stampAttribute])) {
    const same = changed.length === 0 && sameAttribute(row.before?.[versionAttribute], after[versionAttribute]);
    return same && row.before !== undefined ? null : unverified(judging, row, foundActions.outOfBand);
  }
  const stamp = readStamp(after);
  if (typeof stamp === 'string') return unverified(judging, row, foundActions.stampForged, stamp);
  const why = whatIsWrong(judging, row, after, changed, stamp);
  if (why !== null) return unverified(judging, row, foundActions.stampForged, why);
  const audited = changed.filter((name) => !isBookkeeping(row.table, row.key, name));
  return audited.length === 0 ? null : verified(judging, row, stamp, audited, versionOf(after));
};

const judgeDeletion = (judging: Judging, row: ChangedRow): Verdict | null => {
  if (row.expired && isOver(row))
    return {
      ...common(row, row.time),
      action: foundActions.rowExpired,
      actor: 'dynamodb.amazonaws.com',
      request_id: null,
      details: { changes: [describeChange(judging.stampKey, row, [])] },
    };
  const before = row.before ?? {};
  const stamp = readStamp(before);
  const isProducts =
    typeof stamp !== 'string' &&
    stamp.action.endsWith('_deleted') &&
    Math.abs(stamp.at - row.time) <= stampLasts &&
    fits(judging, row, before, stamp);
  if (!isProducts)
    return unverified(judging, row, foundActions.outOfBand, row.expired ? 'the row was not to expire yet' : undefined);
  const silent = Object.keys(before).every((name) => isBookkeeping(row.table, row.key, name));
  return silent ? null : verified(judging, row, stamp, []);
};

/** Whether the row had a time to live, as its kind is declared, and was at the end of it. */
const isOver = ({ table, key, before, time }: ChangedRow): boolean => {
  const expiry = expiryOf(table, key);
  const expires = expiry === undefined ? undefined : numberOf(before?.[expiry]);
  return expires !== undefined && expires * 1_000 <= time;
};

/** The stamp of a row, or what is wrong with it. */
const readStamp = (image: Image): Stamp | string => {
  const value = image[stampAttribute];
  if (value === undefined) return 'the stamp was removed';
  try {
    return stampSchema.parse(unmarshall({ value }).value);
  } catch {
    return 'the stamp is malformed';
  }
};

const numberOf = (value: AttributeValue | undefined): number | undefined =>
  value?.N === undefined ? undefined : Number(value.N);

const versionOf = (image: Image): number => numberOf(image[versionAttribute]) ?? 0;

const fits = ({ deployment, stampKey }: Judging, { table, key }: ChangedRow, image: Image, stamp: Stamp): boolean =>
  stampVerifies(stampKey, { deployment, table, key, version: versionOf(image), image }, stamp);

/** In words; null when the stamp is the product's, made for this very write. */
const whatIsWrong = (
  judging: Judging,
  row: ChangedRow,
  after: Image,
  changed: readonly string[],
  stamp: Stamp,
): string | null => {
  if (!fits(judging, row, after, stamp)) return 'the seal is not one for this row, at this version, with these values';
  const next = nextVersion(numberOf(row.before?.[versionAttribute]));
  if (versionOf(after) !== next) return `row_version is ${versionOf(after)} where ${next} was due`;
  // What is named as set is there, and what is named as removed is not, or the seal would not fit.
  const covered = new Set([...stamp.set, ...stamp.removed]);
  if (!changed.every((name) => covered.has(name))) return 'the stamp does not cover every attribute that changed';
  if (Math.abs(stamp.at - row.time) > stampLasts) return 'the stamp was made at another time';
  return null;
};

const common = ({ table, key }: ChangedRow, time: number): Pick<Draft, 'time' | 'subject'> => ({
  time,
  subject: `${table}/${key}`,
});

const verified = (
  { stampKey }: Judging,
  row: ChangedRow,
  { action, actor, request_id, at }: Stamp,
  names: readonly string[],
  version?: number,
): Verdict => ({
  ...common(row, at),
  action,
  actor,
  request_id,
  details: { changes: [describeChange(stampKey, row, names, version === undefined ? {} : { version })] },
});

const unverified = ({ stampKey }: Judging, row: ChangedRow, action: FoundAction, why?: string): Verdict => {
  const names = changedNames(row);
  const version = sameAttribute(row.before?.[versionAttribute], row.after?.[versionAttribute])
    ? []
    : [versionAttribute];
  return {
    ...common(row, row.time),
    action,
    actor: unknownActor,
    request_id: null,
    details: {
      changes: [describeChange(stampKey, row, [...names, ...version], { showBefore: true })],
      ...(why === undefined ? {} : { why }),
    },
  };
};
