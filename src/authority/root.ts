/** The authority's root certificate: how it looks, and which one of a trust bundle is the key's own. */
import { X509Certificate } from 'node:crypto';
import { Unavailable } from '../errors.ts';
import { certificateBlocks } from './pem.ts';

/** An issuer's certificate as PEM, with what its certificates need from it. */
export interface Root {
  readonly pem: string;
  /** Milliseconds since the epoch. */
  readonly not_after_ms: number;
}

/** The certificates of a PEM bundle; what does not parse is left out. */
export const readBundle = (bundle: string): X509Certificate[] =>
  certificateBlocks(bundle).flatMap((pem) => {
    try {
      return [new X509Certificate(pem)];
    } catch {
      return [];
    }
  });

/** True for a self-signed CA certificate over the public key `spki` (DER). */
export const isRootOf = (spki: Uint8Array, certificate: X509Certificate): boolean =>
  certificate.publicKey.export({ format: 'der', type: 'spki' }).equals(spki) &&
  certificate.ca &&
  certificate.checkIssued(certificate) &&
  certificate.verify(certificate.publicKey);

/**
 * The self-signed CA certificate in `bundle` over the public key `spki` (DER) that is valid at `now` (ms), the longest
 * lasting of several. @throws Unavailable when there is none: the stack is not deployed fully, or its key was replaced.
 */
export const findRoot = (bundle: string, spki: Uint8Array, now: number): Root => {
  const [root] = readBundle(bundle)
    .filter(
      (certificate) =>
        isRootOf(spki, certificate) &&
        Date.parse(certificate.validFrom) <= now &&
        Date.parse(certificate.validTo) > now,
    )
    .sort((a, b) => Date.parse(b.validTo) - Date.parse(a.validTo));
  if (root === undefined) throw new Unavailable('the trust bundle holds no valid root of the authority’s key');
  return { pem: root.toString(), not_after_ms: Date.parse(root.validTo) };
};
