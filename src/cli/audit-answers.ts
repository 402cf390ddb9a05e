/** What the server says of the audit, and how it is shown. */
import { z } from 'zod';
import { suspiciousActions } from '../audit/found-actions.ts';
import type { SignedHead } from '../audit/head.ts';
import { shownValuesSchema } from '../audit/shown-values.ts';
import { date, table } from './print.ts';

const changeSchema = z.looseObject({
  key: z.string(),
  set: shownValuesSchema.default({}),
  removed: z.array(z.string()).default([]),
  before: shownValuesSchema.default({}),
  created: z.boolean().optional(),
  deleted: z.boolean().optional(),
  /** All that is told of a change too large for an entry. */
  names: z.array(z.string()).default([]),
});
type Change = z.infer<typeof changeSchema>;

const detailsSchema = z.looseObject({
  changes: z.array(changeSchema).optional(),
  why: z.string().optional(),
  event: z.string().optional(),
  source_ip: z.string().optional(),
  /** Of a row in the chain that is none of its entries: its attributes. */
  names: z.array(z.string()).optional(),
  /** Why a record could not be judged. */
  error: z.string().optional(),
});

const listedSchema = z.looseObject({
  sequence: z.number(),
  time: z.number().optional(),
  action: z.string().optional(),
  actor: z.string().optional(),
  subject: z.string().optional(),
  details: z.unknown().optional(),
  /** Why the row is no entry. */
  damaged: z.string().optional(),
});
type Listed = z.infer<typeof listedSchema>;

export const entriesSchema = z
  .object({ entries: z.array(listedSchema), next_token: z.string().optional() })
  .transform(({ entries, next_token }) => ({ rows: entries, next_token }));

export const verificationSchema = z.looseObject({
  is_valid: z.boolean(),
  total_entries: z.number(),
  first_invalid_sequence: z.number().nullable(),
  problems: z.array(z.string()).default([]),
  /** What should be known although it makes nothing invalid. */
  remarks: z.array(z.string()).default([]),
  /** The first entry that was read; 1 unless it began at a head. */
  checked_from: z.number().default(1),
  head: z.looseObject({ size: z.number(), signed_at: z.number() }).nullish(),
});
export type Verification = z.infer<typeof verificationSchema>;

export const runningSchema = z.object({ verification_id: z.string(), checked_entries: z.number() });

/** Characters of one value, and of all that is told of an entry; --output json has the rest. */
const longestValue = 64;
const longestTold = 400;

const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/** ISO 8601; a number that is no moment stays one. */
export const moment = (ms: number | undefined): string =>
  ms === undefined ? '' : Math.abs(ms) <= 8.64e15 ? date(ms) : String(ms);

/** `11 entries of airunner/prod, signed at …` */
export const headWords = ({ size, deployment, signed_at }: SignedHead): string =>
  `${size} ${size === 1 ? 'entry' : 'entries'} of ${deployment}, signed at ${moment(signed_at)}`;

/** Of a file in which something is wrong. */
export const provenWords = (proven: number): string =>
  proven === 0 ? 'no entry is proven' : `${proven} ${proven === 1 ? 'entry is' : 'entries are'} proven`;

const valueWords = (name: string, value: unknown): string => {
  if (typeof value === 'string') return cut(value, longestValue);
  if (typeof value === 'number' && name.endsWith('_at')) return moment(value);
  if (typeof value === 'object' && value !== null && 'hmac' in value) return '(not shown)';
  return cut(JSON.stringify(value) ?? '', longestValue);
};

const changeWords = ({ set, removed, before, created, deleted, names }: Change): string => {
  const was = (name: string): string => (Object.hasOwn(before, name) ? `${valueWords(name, before[name])} → ` : '');
  return [
    ...(created ? ['created'] : []),
    ...(deleted ? ['deleted'] : []),
    ...Object.entries(set).map(([name, value]) => `${name}: ${was(name)}${valueWords(name, value)}`),
    ...removed.map((name) => `${name}: ${was(name)}removed`),
    ...names.map((name) => `${name}: changed`),
  ].join(', ');
};

/** Why a row was changed, as whoever changed it said. */
const reasonsIn = ({ set }: Change): string[] =>
  Object.entries(set).flatMap(([name, value]) =>
    /(?:^|_)reason$/.test(name) ? [`${name}: ${valueWords(name, value)}`] : [],
  );

/** `status: active → suspended`, of each row where there are several; of what is no row, the call and where it came from. */
const whatChanged = ({ action = '', details, damaged }: Listed): string => {
  if (damaged !== undefined) return `not an entry: ${damaged}`;
  const { data } = detailsSchema.safeParse(details);
  if (data === undefined) return '';
  const { changes = [], why, event, source_ip, names, error } = data;
  // What no name of an action says is told in words.
  if (!suspiciousActions.has(action)) return cut([...new Set(changes.flatMap(reasonsIn))].join('; '), longestTold);
  const rows = changes.flatMap((change) => {
    const words = changeWords(change);
    return words === '' ? [] : [`${changes.length > 1 ? `${change.key}: ` : ''}${words}`];
  });
  const call = event === undefined ? [] : [`${event}${source_ip === undefined ? '' : ` from ${source_ip}`}`];
  const row = names === undefined ? [] : [`a row with ${names.join(', ')}`];
  const unread = error === undefined ? [] : [`cannot be read: ${error}`];
  return cut([...(why === undefined ? [] : [why]), ...rows, ...call, ...row, ...unread].join('; '), longestTold);
};

export const describeEntries = (entries: readonly Listed[]): string =>
  table(
    ['SEQ', 'TIME', 'ACTION', 'ACTOR', 'SUBJECT', 'CHANGED'],
    entries.map((entry) => [
      String(entry.sequence),
      moment(entry.time),
      entry.action ?? '?',
      entry.actor ?? '?',
      entry.subject ?? '?',
      whatChanged(entry),
    ]),
  );

/** One sentence. */
export const describeValid = ({ total_entries, checked_from, head }: Verification): string => {
  if (total_entries === 0) return 'The audit chain is valid: it has no entries yet.';
  const signed = head ? `; the head of size ${head.size} was signed at ${moment(head.signed_at)}` : '';
  const count = `all ${total_entries} ${total_entries === 1 ? 'entry was' : 'entries were'} checked`;
  if (checked_from <= 1) return `The audit chain is valid: ${count}${signed}.`;
  const since =
    checked_from > total_entries
      ? `no entry came after it, and the ${total_entries} before were not checked`
      : `entries ${checked_from} to ${total_entries} were checked, those before were not`;
  return `The audit chain is valid since the last signed head: ${since}${signed}.`;
};
