/** Keys made on this machine, and certificate signing requests (RFC 2986) for them. */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { Misuse } from './failure.ts';

/** A new P-256 private key. */
export const makeKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;

/** PKCS#8 PEM; with a passphrase encrypted with AES-256-CBC and PBKDF2. */
export const writeKey = (key: KeyObject, passphrase?: string): string =>
  key
    .export({
      type: 'pkcs8',
      format: 'pem',
      ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
    })
    .toString();

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const hex = content.length.toString(16);
  const length = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content]);
};
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));

/** ecdsa-with-SHA256, ecdsa-with-SHA384 (RFC 5758), sha256WithRSAEncryption (RFC 4055). */
const algorithmOf = (key: KeyObject): { hash: string; identifier: Buffer } => {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType === 'ec' && curve === 'prime256v1')
    return { hash: 'sha256', identifier: sequence(oid('2a8648ce3d040302')) };
  if (key.asymmetricKeyType === 'ec' && curve === 'secp384r1')
    return { hash: 'sha384', identifier: sequence(oid('2a8648ce3d040303')) };
  if (key.asymmetricKeyType === 'rsa')
    return { hash: 'sha256', identifier: sequence(oid('2a864886f70d01010b'), der(0x05)) };
  throw new Misuse('--client-key: only P-256, P-384 and RSA keys can ask for a certificate; use --new-key');
};

/** A PEM request that proves possession of the key and asks for nothing else: the authority decides subject and names. */
export const makeCsr = (key: KeyObject): string => {
  const { hash, identifier } = algorithmOf(key);
  const version = der(0x02, Buffer.from([0]));
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const info = sequence(version, sequence(), publicKey, der(0xa0));
  const signature = der(0x03, Buffer.from([0]), sign(hash, info, key));
  const lines = sequence(info, identifier, signature)
    .toString('base64')
    .match(/.{1,64}/g);
  return `-----BEGIN CERTIFICATE REQUEST-----\n${(lines ?? []).join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
};
