/** What tells the chain's own rows from rows that somebody else put there: a seal under the key that seals stamps. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Deployment } from '../names.ts';
import { type Entry, type EntryRow, entryHash, entrySchema } from './entry.ts';

/** An entry's row as it is stored. */
export interface SealedRow extends EntryRow {
  /** Base64url; over the sequence, the hash and the nodes. The hash covers the rest. */
  readonly seal: string;
}

type Sealed = Pick<EntryRow, 'sequence' | 'hash' | 'nodes'>;

const sealOf = (key: Uint8Array, { name, environment }: Deployment, { sequence, hash, nodes }: Sealed): Buffer =>
  createHmac('sha256', key)
    .update(JSON.stringify(['everleaf audit entry 1', name, environment, sequence, hash, nodes]))
    .digest();

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
  return { ...row, entry: entrySchema.parse(JSON.parse(text)) };
};
