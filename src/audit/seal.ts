/**
 * What tells the chain's own entries from those that somebody else put there: a seal inside of each, under the key that
 * seals stamps. Heads prove what they cover to anybody; seals tell the chain's writer what no head covers yet.
 */
import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Deployment } from '../names.ts';
import { canonicalBytes, type Entry, entryHash, readEntry, type Unsealed } from './entry.ts';
import { hmac } from './hmac.ts';

/** Bytes of the MAC that stand in the entry (RFC 2104, section 5). */
const length = 16;

const sealOf = (key: Uint8Array, { name, environment }: Deployment, unsealed: Unsealed): Buffer =>
  hmac(key, JSON.stringify(['everleaf audit entry 1', name, environment, canonicalBytes(unsealed)])).subarray(
    0,
    length,
  );

export const sealEntry = (key: Uint8Array, deployment: Deployment, unsealed: Unsealed): Entry => ({
  ...unsealed,
  seal: sealOf(key, deployment, unsealed).toString('base64url'),
});

/** Whether this deployment entered exactly this, in this place. */
export const bearsSeal = (key: Uint8Array, deployment: Deployment, { seal, ...unsealed }: Entry): boolean => {
  const expected = sealOf(key, deployment, unsealed);
  const given = Buffer.from(seal, 'base64url');
  return given.length === expected.length && timingSafeEqual(given, expected);
};

const rowSchema = z.object({ sequence: z.number(), entry: z.string(), hash: z.string() });

/** The row's entry; null when it is not one that this deployment entered there. */
export const openRow = (
  key: Uint8Array,
  deployment: Deployment,
  item: unknown,
): { readonly sequence: number; readonly hash: string; readonly entry: Entry } | null => {
  const row = rowSchema.safeParse(item).data;
  if (row === undefined || entryHash(row.entry) !== row.hash) return null;
  const entry = readEntry(row.entry);
  if (entry === null || entry.sequence !== row.sequence || !bearsSeal(key, deployment, entry)) return null;
  return { sequence: row.sequence, hash: row.hash, entry };
};
