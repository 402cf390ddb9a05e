/** One entry of the chain: what it says, the bytes that are hashed and stored as hashed, and what follows from them. */
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { leafHash } from './tree.ts';

/** What is to be entered; the chain adds where it stands. */
export interface Draft {
  /** The events that it comes from; one that the chain has entered before is not entered again. */
  readonly event_ids: readonly string[];
  /** When the change was made, ms since the epoch. */
  readonly time: number;
  readonly action: string;
  /** As in a stamp; `unknown` for a change behind the product's back. */
  readonly actor: string;
  readonly request_id: string | null;
  /** `principals/worker-1`; `certificates/*` for a batch, whose rows stand in the details; an ARN for what is no row. */
  readonly subject: string;
  readonly details: Readonly<Record<string, unknown>>;
}

const hashPattern = /^[0-9a-f]{64}$/;

export const entrySchema = z.strictObject({
  /** From 1, without gaps. */
  sequence: z.number().int().min(1),
  time: z.number().int(),
  /** When it was entered, ms; never less than the entry's before. */
  appended_at: z.number().int(),
  action: z.string(),
  actor: z.string(),
  request_id: z.string().nullable(),
  subject: z.string(),
  details: z.record(z.string(), z.unknown()),
  event_ids: z.array(z.string()),
  /** The hash of the entry before; of the first one, 64 zeros. */
  previous: z.string().regex(hashPattern),
  /** Made by the chain's writer, for itself (`src/audit/seal.ts`); Base64url. */
  seal: z.string(),
});
export type Entry = z.infer<typeof entrySchema>;
export type Unsealed = Omit<Entry, 'seal'>;

export const noEntry = '0'.repeat(64);

/** In no string of JSON a quotation mark stands unescaped: the first of these in an entry is where its details begin. */
const detailsMark = ',"details":{';

const canonical = (value: unknown): string => {
  const bytes = canonicalize(value);
  if (bytes === undefined) throw new Error('an entry that is no JSON');
  return bytes;
};

/**
 * One JSON object, the same bytes for the same content whoever writes it down: canonical (RFC 8785), except that the
 * details come last, so that whoever verifies the chain need not take them apart. @throws Error for what is no JSON
 */
export const canonicalBytes = ({ details, ...envelope }: Entry | Unsealed): string =>
  `${canonical(envelope).slice(0, -1)}${detailsMark}${canonical(details).slice(1)}}`;

/** These bytes are hashed, stored and verified; they are never written down a second time. */
export const entryBytes = (entry: Entry): string => canonicalBytes(entry);

/** An entry without its details. */
export type Envelope = Omit<Entry, 'details'>;

/** The other fields, in the order of their bytes. */
const fields = Object.keys(entrySchema.shape)
  .filter((name) => name !== 'details')
  .sort();

/**
 * What the bytes of an entry say, but for its details, which the hash covers and nobody looks at here; null for anything
 * that `entrySchema` refuses and for other fields or another order. Written out by hand because verifying a chain
 * spends its time here; a test holds it to the schema.
 * @param link what `previous` is known to be if all is well, which spares looking at it digit by digit
 */
export const readEnvelope = (bytes: string, link?: string): Envelope | null => {
  const end = bytes.indexOf(detailsMark);
  if (end === -1 || !bytes.endsWith('}}')) return null;
  const value = parseObject(`${bytes.slice(0, end)}}`);
  if (value === null) return null;
  let at = 0;
  for (const name in value) if (name !== fields[at++]) return null;
  return at === fields.length &&
    Number.isSafeInteger(value.sequence) &&
    Number(value.sequence) >= 1 &&
    Number.isSafeInteger(value.time) &&
    Number.isSafeInteger(value.appended_at) &&
    typeof value.action === 'string' &&
    typeof value.actor === 'string' &&
    (typeof value.request_id === 'string' || value.request_id === null) &&
    typeof value.subject === 'string' &&
    Array.isArray(value.event_ids) &&
    value.event_ids.every((id) => typeof id === 'string') &&
    typeof value.previous === 'string' &&
    (value.previous === link || hashPattern.test(value.previous)) &&
    typeof value.seal === 'string'
    ? (value as unknown as Envelope)
    : null;
};

/** All of what the bytes say. */
export const readEntry = (bytes: string): Entry | null => {
  const envelope = readEnvelope(bytes);
  const details = parseObject(bytes.slice(bytes.indexOf(detailsMark) + detailsMark.length - 1, -1));
  return envelope === null || details === null ? null : { ...envelope, details };
};

const parseObject = (text: string): Record<string, unknown> | null => {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
};

/**
 * SHA-256 of a zero byte and the bytes, lower-case hex: the hash that links the chain is the leaf's in the tree, so that
 * each entry is hashed once. It covers the entry before through `previous`.
 */
export const entryHash = leafHash;

/** An entry as its row holds it. */
export interface EntryRow {
  readonly sequence: number;
  /** `entryBytes` */
  readonly entry: string;
  readonly hash: string;
  /** A copy for the index. */
  readonly action: string;
  /** Hashes (hex) of the perfect subtrees, two leaves and more, that this leaf completes; the smallest first. */
  readonly nodes: readonly string[];
}
