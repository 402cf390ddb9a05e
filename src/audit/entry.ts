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
});
export type Entry = z.infer<typeof entrySchema>;

export const noEntry = '0'.repeat(64);

/** Canonical JSON (RFC 8785). These bytes are hashed, stored and verified; they are never written down a second time. */
export const entryBytes = (entry: Entry): string => {
  const bytes = canonicalize(entry);
  if (bytes === undefined) throw new Error('an entry that is no JSON');
  return bytes;
};

/** The fields as canonical JSON orders them. */
const fields = Object.keys(entrySchema.shape).sort();

/**
 * The entry that canonical bytes hold; null for anything that `entrySchema` refuses and for another order of the
 * fields. Written out by hand because verifying a chain spends its time here; a test holds it to the schema.
 */
export const readEntry = (bytes: string): Entry | null => {
  let value: Partial<Record<keyof Entry, unknown>> | null;
  try {
    value = JSON.parse(bytes);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  let at = 0;
  for (const name in value) if (name !== fields[at++]) return null;
  const { sequence, time, appended_at, action, actor, request_id, subject, details, event_ids, previous } = value;
  return at === fields.length &&
    Number.isSafeInteger(sequence) &&
    Number(sequence) >= 1 &&
    Number.isSafeInteger(time) &&
    Number.isSafeInteger(appended_at) &&
    typeof action === 'string' &&
    typeof actor === 'string' &&
    (typeof request_id === 'string' || request_id === null) &&
    typeof subject === 'string' &&
    typeof details === 'object' &&
    details !== null &&
    !Array.isArray(details) &&
    Array.isArray(event_ids) &&
    event_ids.every((id) => typeof id === 'string') &&
    typeof previous === 'string' &&
    hashPattern.test(previous)
    ? (value as Entry)
    : null;
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
