/** What tells the chain's own rows from rows that somebody else put there: a seal under the key that seals stamps. */
import { hash as digest, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Deployment } from '../names.ts';
import { type Entry, type EntryRow, entryHash, readEntry } from './entry.ts';
import { hmac } from './hmac.ts';

/** An entry's row as it is stored. */
export interface SealedRow extends EntryRow {
  /** Base64url; over the sequence, the hash and the nodes. The hash covers the rest. */
  readonly seal: string;
}

type Sealed = Pick<EntryRow, 'sequence' | 'hash' | 'nodes'>;

const sealOf = (key: Uint8Array, { name, environment }: Deployment, { sequence, hash, nodes }: Sealed): Buffer =>
  hmac(key, JSON.stringify(['everleaf audit entry 1', name, environment, sequence, hash, nodes]));

export const sealRow = (key: Uint8Array, deployment: Deployment, row: EntryRow): SealedRow => ({
  ...row,
  seal: sealOf(key, deployment, row).toString('base64url'),
});

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const rowSchema = z.object({
  sequence: z.number().int().min(1),
  hash: hex,
  nodes: z.array(hex),
  seal: z.string(),
});

/** The row, as far as the seal covers it; null when it is not one that this deployment appended there. */
export const openSeal = (key: Uint8Array, deployment: Deployment, item: unknown): Sealed | null => {
  const row = rowSchema.safeParse(item).data;
  if (row === undefined) return null;
  const expected = sealOf(key, deployment, row);
  const given = Buffer.from(row.seal, 'base64url');
  return given.length === expected.length && timingSafeEqual(given, expected) ? row : null;
};

const textSchema = z.object({ entry: z.string() });

/** The row with its entry; null when anything of it is not as it was appended. */
export const openRow = (
  key: Uint8Array,
  deployment: Deployment,
  item: unknown,
): (Sealed & { readonly entry: Entry }) | null => {
  const row = openSeal(key, deployment, item);
  const text = textSchema.safeParse(item).data?.entry;
  if (row === null || text === undefined || entryHash(text) !== row.hash) return null;
  const entry = readEntry(text);
  return entry && { ...row, entry };
};

export type IsSealed = (row: Readonly<Record<string, unknown>>) => boolean;

const block = 64;
/** Longer than what any row's seal covers. */
const longest = 8_192;

/**
 * Tells which rows bear the seal, whatever they are. It computes the same HMAC (RFC 2104) from two hashes, since
 * verifying a chain asks for one a row and Node's own takes ten times as long to begin as to hash. The comparison need
 * not be of constant time: nobody who is answered chooses the rows.
 */
export const openSeals = (key: Uint8Array, { name, environment }: Deployment): IsSealed => {
  const inner = Buffer.alloc(longest, 0x36);
  const outer = Buffer.alloc(block + 32, 0x5c);
  key.forEach((byte, index) => {
    inner[index] = byte ^ 0x36;
    outer[index] = byte ^ 0x5c;
  });
  const beginning = JSON.stringify(['everleaf audit entry 1', name, environment]).slice(0, -1);
  return ({ sequence, hash, nodes, seal }) => {
    if (!Array.isArray(nodes)) return false;
    const listed = nodes.length === 0 ? '[]' : `["${nodes.join('","')}"]`;
    const covered = `${beginning},${sequence},"${hash}",${listed}]`;
    if (covered.length > longest - block) return false;
    const end = block + inner.write(covered, block, 'latin1');
    outer.write(digest('sha256', inner.subarray(0, end), 'hex'), block, 'hex');
    return digest('sha256', outer, 'base64url') === seal;
  };
};
