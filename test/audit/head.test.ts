/** Signed heads: what is signed, who may have signed it, and where they stand. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { expect, it } from 'vitest';
import {
  beforeHeadsOf,
  headBytes,
  headKey,
  headPublicKey,
  headVerifies,
  openHead,
  readHeadKey,
  type SignedHead,
  signHead,
} from '../../src/audit/head.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const deployment = 'airunner/prod';
const unsigned = {
  deployment,
  size: 120,
  hash: 'a'.repeat(64),
  root: 'b'.repeat(64),
  signed_at: 1_700_000_000_000,
};
const signWith = (key: KeyObject) => async (bytes: Uint8Array) => sign('sha256', bytes, key);

it('signs canonical JSON that says what for', () => {
  expect(Buffer.from(headBytes(unsigned)).toString()).toBe(
    `{"deployment":"airunner/prod","hash":"${'a'.repeat(64)}","purpose":"everleaf audit head 1","root":"${'b'.repeat(64)}","signed_at":1700000000000,"size":120}`,
  );
});

it('is ours only as it was signed, by our key, for our deployment', async () => {
  const head = await signHead(unsigned, signWith(privateKey));
  expect(headVerifies(publicKey, deployment, head)).toBe(true);
  const changed: Partial<SignedHead>[] = [
    { size: 121 },
    { hash: 'c'.repeat(64) },
    { root: 'c'.repeat(64) },
    { signed_at: 1 },
    { deployment: 'airunner/stage' },
    { signature: Buffer.from(head.signature, 'base64').reverse().toString('base64') },
    { signature: '' },
  ];
  for (const change of changed) {
    expect(headVerifies(publicKey, deployment, { ...head, ...change })).toBe(false);
    expect(openHead(publicKey, deployment, JSON.stringify({ ...head, ...change }))).toBeNull();
  }
  expect(headVerifies(publicKey, 'airunner/stage', head)).toBe(false);
  expect(headVerifies(other.publicKey, deployment, head)).toBe(false);
  expect(headVerifies(publicKey, deployment, await signHead(unsigned, signWith(other.privateKey)))).toBe(false);
});

it('is read from its text, and nothing else is', async () => {
  const head = await signHead(unsigned, signWith(privateKey));
  expect(openHead(publicKey, deployment, JSON.stringify(head))).toEqual(head);
  for (const text of ['', 'no JSON', '[]', 'null', '{}', JSON.stringify({ ...head, more: 1 })])
    expect(openHead(publicKey, deployment, text)).toBeNull();
});

it('stands so that a list in the order of keys begins with the newest', () => {
  const sizes = [1, 2, 9, 10, 99, 100, 1_000_000, 10 ** 14];
  const keys = sizes.map((size) => headKey({ ...unsigned, size }));
  expect([...keys].sort()).toEqual([...keys].reverse());
  expect(keys.map((key) => readHeadKey(key))).toEqual(
    sizes.map((size) => ({ size, hash: unsigned.hash, root: unsigned.root })),
  );
  // A list after this begins with the heads of that size.
  for (const [index, size] of sizes.entries())
    for (const [at, key] of keys.entries()) expect(key > beforeHeadsOf(size)).toBe(at <= index);
});

it.each([
  'heads/',
  'heads/readme.txt',
  headKey(unsigned).toUpperCase(),
  `${headKey(unsigned)}.bak`,
  headKey(unsigned).replace('heads/', 'other/'),
  headKey({ ...unsigned, size: 0 }),
  headKey(unsigned).replace(/\d{16}/, '9999999999999999'),
])('is not named by %s', (key) => {
  expect(readHeadKey(key)).toBeNull();
});

it('has a key on P-256', () => {
  const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
  expect(headPublicKey(pem(publicKey)).equals(publicKey)).toBe(true);
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  for (const key of [p384.publicKey, rsa.publicKey])
    expect(() => headPublicKey(pem(key))).toThrow('the key is not an ECDSA key on P-256');
  expect(() => headPublicKey('no PEM')).toThrow();
});
