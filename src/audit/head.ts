/** A signed head: how long the chain was and what stood in it, signed by a key of its own and kept where nobody can take it away. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { type Deployment, headsPrefix } from '../names.ts';

const hex = z.string().regex(/^[0-9a-f]{64}$/);

export const signedHeadSchema = z.strictObject({
  /** `name/environment` */
  deployment: z.string(),
  /** How many entries it covers, from 1. */
  size: z.number().int().min(1),
  /** The hash of entry `size`, and through it of every entry before. */
  hash: hex,
  /** The root of the Merkle tree over those entries. */
  root: hex,
  /** Milliseconds since the epoch. */
  signed_at: z.number().int(),
  /** ECDSA on P-256 with SHA-256, DER, Base64. */
  signature: z.base64(),
});
export type SignedHead = z.infer<typeof signedHeadSchema>;
export type UnsignedHead = Omit<SignedHead, 'signature'>;

/** As the signed bytes name a deployment. */
export const deploymentWord = ({ name, environment }: Deployment): string => `${name}/${environment}`;

/** What is signed: canonical JSON (RFC 8785) that says what it is for, so that no signature serves two purposes. */
export const headBytes = ({ deployment, size, hash, root, signed_at }: UnsignedHead): Uint8Array => {
  const bytes = canonicalize({ purpose: 'everleaf audit head 1', deployment, size, hash, root, signed_at });
  if (bytes === undefined) throw new Error('a head that is no JSON');
  return Buffer.from(bytes, 'utf8');
};

/** `sign`: DER, over SHA-256 of the bytes. */
export const signHead = async (
  head: UnsignedHead,
  sign: (bytes: Uint8Array) => Promise<Uint8Array>,
): Promise<SignedHead> => ({ ...head, signature: Buffer.from(await sign(headBytes(head))).toString('base64') });

/** Whether the deployment's key signed exactly this. */
export const headVerifies = (publicKey: KeyObject, deployment: string, { signature, ...head }: SignedHead): boolean =>
  head.deployment === deployment &&
  verify('sha256', headBytes(head), { key: publicKey, dsaEncoding: 'der' }, Buffer.from(signature, 'base64'));

/** The head that a text holds; null when it is none, or not one that the deployment's key signed. */
export const openHead = (publicKey: KeyObject, deployment: string, text: string): SignedHead | null => {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return null;
  }
  const { data } = signedHeadSchema.safeParse(content);
  return data !== undefined && headVerifies(publicKey, deployment, data) ? data : null;
};

/** The key from its PEM. @throws Error when it is no ECDSA key on P-256 */
export const headPublicKey = (pem: string): KeyObject => {
  const key = createPublicKey(pem);
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('the key is not an ECDSA key on P-256');
  return key;
};

const largestSize = 10 ** 15;
const digits = (size: number): string => String(largestSize - size).padStart(16, '0');
const keyPattern = new RegExp(`^${headsPrefix}(\\d{16})-([0-9a-f]{64})-([0-9a-f]{64})\\.json$`);

/** Where a head stands in its bucket: S3 lists keys in ascending order, and these so that the newest head comes first. */
export const headKey = ({ size, hash, root }: Pick<SignedHead, 'size' | 'hash' | 'root'>): string =>
  `${headsPrefix}${digits(size)}-${hash}-${root}.json`;

/** Sorts directly before every key of a head of this size, and is none. */
export const beforeHeadsOf = (size: number): string => `${headsPrefix}${digits(size)}`;

export const readHeadKey = (
  key: string,
): { readonly size: number; readonly hash: string; readonly root: string } | null => {
  const [, inverse, hash, root] = keyPattern.exec(key) ?? [];
  if (inverse === undefined || hash === undefined || root === undefined) return null;
  const size = largestSize - Number(inverse);
  return size >= 1 ? { size, hash, root } : null;
};

/** What the list of the bucket alone says of a head; whether it is one, only `HeadStore.read` tells. */
export interface ListedHead {
  readonly size: number;
  readonly hash: string;
  readonly root: string;
  readonly key: string;
  /** The object's versions, the oldest first. */
  readonly versions: readonly string[];
  /** Somebody put a delete marker over it, which hides nothing from who reads versions. */
  readonly hidden: boolean;
}

/** Where signed heads are kept. Nothing written here can be taken away or altered before its retention is over. */
export interface HeadStore {
  /** The largest that is listed, whoever wrote it; null when there is none. */
  readonly newest: () => Promise<ListedHead | null>;
  /** Those whose sizes are from `from` (1 where absent) to `to` (all that are larger), the largest first. */
  readonly listed: (sizes: { readonly from?: number; readonly to?: number }) => AsyncIterable<ListedHead>;
  /** The head of the oldest version that this deployment signed and that the key names; null when there is none. */
  readonly read: (listed: ListedHead) => Promise<SignedHead | null>;
  /** Durable once it returns. One of the same size, hash and root that is there already is enough. */
  readonly write: (head: SignedHead) => Promise<void>;
}
