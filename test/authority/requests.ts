/** Certificate requests, good ones and every kind of bad one, written byte by byte. */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** One DER element; a long length as DER wants it. */
export const der = (tag: number, ...parts: readonly (Uint8Array | readonly number[])[]): Buffer => {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const size = content.length;
  const header = size < 0x80 ? [tag, size] : size < 0x100 ? [tag, 0x81, size] : [tag, 0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from(header), content]);
};

export const oid = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return der(0x06, bytes);
};

export const bitString = (bytes: Uint8Array): Buffer => der(0x03, [0], bytes);
export const integer = (value: bigint): Buffer => {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
  return der(0x02, (bytes[0] ?? 0) >= 0x80 ? [0] : [], bytes);
};

export const name = (...attributes: readonly (readonly [string, string])[]): Buffer =>
  der(0x30, ...attributes.map(([type, text]) => der(0x31, der(0x30, oid(type), der(0x0c, Buffer.from(text))))));
export const commonName = (text: string): Buffer => name(['2.5.4.3', text]);

export const extension = (type: string, value: Uint8Array): Buffer => der(0x30, oid(type), der(0x04, value));
export const extensionRequest = (...extensions: readonly Uint8Array[]): Buffer =>
  der(0x30, oid('1.2.840.113549.1.9.14'), der(0x31, der(0x30, ...extensions)));
export const challengePassword = (text: string): Buffer =>
  der(0x30, oid('1.2.840.113549.1.9.7'), der(0x31, der(0x0c, Buffer.from(text))));
export const uriName = (uri: string): Buffer => extension('2.5.29.17', der(0x30, der(0x86, Buffer.from(uri))));
export const dnsName = (dns: string): Buffer => extension('2.5.29.17', der(0x30, der(0x82, Buffer.from(dns))));

export interface Parts {
  readonly privateKey: KeyObject;
  readonly spki?: Uint8Array;
  readonly subject?: Uint8Array;
  readonly attributes?: readonly Uint8Array[];
  readonly version?: number;
  readonly hash?: string;
  readonly algorithm?: Uint8Array;
  /** Changes the bytes after signing. */
  readonly edit?: (request: Buffer) => Buffer;
}

const signatureOid: Readonly<Record<string, string>> = {
  'rsa sha256': '1.2.840.113549.1.1.11',
  'rsa sha1': '1.2.840.113549.1.1.5',
  'rsa md5': '1.2.840.113549.1.1.4',
  'ec sha256': '1.2.840.10045.4.3.2',
  'ec sha384': '1.2.840.10045.4.3.3',
  'ec sha1': '1.2.840.10045.4.1',
  'ed25519 sha256': '1.3.101.112',
};

export const pem = (bytes: Uint8Array, label = 'CERTIFICATE REQUEST'): string =>
  `-----BEGIN ${label}-----\n${(
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  ).join('\n')}\n-----END ${label}-----\n`;

export const requestBytes = (parts: Parts): Buffer => {
  const { privateKey, subject = name(), attributes = [], version = 0, hash = 'sha256', edit } = parts;
  const spki = parts.spki ?? createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const info = der(0x30, integer(BigInt(version)), subject, spki, der(0xa0, ...attributes));
  const kind = privateKey.asymmetricKeyType;
  const type = signatureOid[`${kind} ${hash}`] ?? '1.2.3.4';
  const algorithm = parts.algorithm ?? der(0x30, oid(type), kind === 'rsa' ? [5, 0] : []);
  const signature = sign(kind === 'ed25519' ? null : hash, info, privateKey);
  const request = der(0x30, info, algorithm, bitString(signature));
  return edit ? edit(request) : request;
};

export const request = (parts: Parts): string => pem(requestBytes(parts));

export const ecKey = (namedCurve = 'P-256'): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey;
export const rsaKey = (modulusLength = 2048, publicExponent = 65537): KeyObject =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey;
