/** Which public keys the authority puts into certificates, and the one encoding of each that counts. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { InvalidInput } from '../errors.ts';
import { type Der, readOid, tags } from './der.ts';

const rsaEncryption = '1.2.840.113549.1.1.1';
const ecPublicKey = '1.2.840.10045.2.1';
/** Size of a coordinate in bytes. */
const curves: Readonly<Record<string, number>> = { '1.2.840.10045.3.1.7': 32, '1.3.132.0.34': 48 };

const refuse = (message: string): never => {
  throw new InvalidInput('csr', message);
};

export interface CheckedKey {
  readonly kind: 'RSA' | 'EC';
  readonly key: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** Lower-case hex. One key has one: only its canonical encoding is accepted. */
  readonly public_key_sha256: string;
}

/** Lower-case hex of SHA-256. */
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Accepts RSA of 2048 to 4096 bits with an odd exponent of at least 65537, and points on P-256 or P-384.
 * An encoding that is not the canonical one is refused, so that a compromised key cannot return in other clothes.
 * @throws InvalidInput on `csr`
 */
export const checkPublicKey = (spki: Der): CheckedKey => {
  const [algorithm, bits, ...rest] = spki.children;
  const [name, parameters] = algorithm?.children ?? [];
  if (spki.tag !== tags.sequence || rest.length > 0 || name?.tag !== tags.oid || bits?.tag !== tags.bitString)
    return refuse('malformed public key');
  const oid = readOid(name.content);
  if (oid === ecPublicKey) {
    if (parameters?.tag !== tags.oid) return refuse('key curve must be named: P-256 or P-384');
    const size = curves[readOid(parameters.content)];
    if (size === undefined) return refuse('key curve must be P-256 or P-384');
    if (bits.content[1] !== 4 || bits.content.length !== 2 + 2 * size)
      return refuse('key must be an uncompressed point of its curve');
  } else if (oid !== rsaEncryption) return refuse('key must be RSA, or EC on P-256 or P-384');
  const key = parse(spki.bytes);
  if (oid === rsaEncryption) checkRsa(key);
  return {
    kind: oid === rsaEncryption ? 'RSA' : 'EC',
    key,
    spki: spki.bytes,
    public_key_sha256: sha256(spki.bytes),
  };
};

const parse = (spki: Uint8Array): KeyObject => {
  let key: KeyObject;
  let canonical: Buffer;
  try {
    key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    canonical = key.export({ format: 'der', type: 'spki' });
  } catch {
    return refuse('malformed public key');
  }
  if (!canonical.equals(spki)) return refuse('public key is not in its canonical encoding');
  return key;
};

const checkRsa = (key: KeyObject): void => {
  const { n = '', e = '' } = key.export({ format: 'jwk' });
  const modulus = BigInt(`0x${Buffer.from(n, 'base64url').toString('hex') || '0'}`);
  const exponent = BigInt(`0x${Buffer.from(e, 'base64url').toString('hex') || '0'}`);
  const size = modulus.toString(2).length;
  if (size < 2048 || size > 4096) refuse(`RSA key has ${size} bits; 2048 to 4096 are accepted`);
  if (modulus % 2n === 0n) refuse('RSA modulus is even');
  if (exponent % 2n === 0n) refuse('RSA exponent is even');
  if (exponent < 65537n) refuse('RSA exponent is below 65537');
  if (exponent >= 2n ** 64n) refuse('RSA exponent is 2^64 or more');
};
