/** The authority's private key as the signing code sees it: it signs, and never shows itself. */
import { webcrypto } from 'node:crypto';
import { readDer } from './der.ts';

export interface AuthorityKey {
  readonly curve: 'P-256' | 'P-384';
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** ECDSA over `signatureHash` of the curve; the signature DER-encoded (RFC 3279 2.2.3). */
  readonly sign: (data: Uint8Array) => Promise<Uint8Array>;
}

export const signatureHash = { 'P-256': 'SHA-256', 'P-384': 'SHA-384' } as const;
const coordinateSize = { 'P-256': 32, 'P-384': 48 } as const;

/** r and s side by side, each as long as the curve's order, as WebCrypto has them. */
export const rawSignature = (der: Uint8Array, curve: AuthorityKey['curve']): Uint8Array<ArrayBuffer> => {
  const size = coordinateSize[curve];
  const raw = new Uint8Array(2 * size);
  readDer(der).children.forEach((number, index) => {
    const digits = number.content[0] === 0 ? number.content.subarray(1) : number.content;
    raw.set(digits, (index + 1) * size - digits.length);
  });
  return raw;
};

/** A WebCrypto whose one signature is made by the authority's key; whatever else it is asked stays local. */
export const cryptoSigningWith = (key: AuthorityKey): webcrypto.Crypto => {
  const sign: webcrypto.SubtleCrypto['sign'] = async (_algorithm, _named, data) => {
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
    return rawSignature(await key.sign(bytes), key.curve).buffer;
  };
  const instead = <T extends object>(target: T, name: string, value: unknown): T =>
    new Proxy(target, {
      get: (object, property) => {
        if (property === name) return value;
        const member: unknown = Reflect.get(object, property, object);
        return typeof member === 'function' ? member.bind(object) : member;
      },
    });
  return instead(webcrypto, 'subtle', instead(webcrypto.subtle, 'sign', sign));
};

/** Names the algorithm where @peculiar/x509 wants a private key. */
export const namedKey = (key: AuthorityKey) => ({
  type: 'private' as const,
  extractable: false,
  algorithm: { name: 'ECDSA', namedCurve: key.curve, hash: signatureHash[key.curve] },
  usages: ['sign' as const],
});
