/** What may stand in a trust bundle, and how it changes; pure. */
import { X509Certificate } from 'node:crypto';
import { Conflict, InvalidInput } from '../errors.ts';
import { certificateBlocks } from './pem.ts';
import { findRoot, isRootOf, readBundle } from './root.ts';

export interface BundleChange {
  /** PEM; each may hold several certificates. */
  readonly add?: readonly string[] | undefined;
  /** SHA-256 of the DER in hex; case and colons do not matter. */
  readonly remove?: readonly string[] | undefined;
}

/** Bytes of a truststore that API Gateway takes, and of a parameter in SSM's standard tier. */
const most = { truststore: 1_000_000, 'ca-cert': 4_096 } as const;

/** Lower-case hex of the SHA-256 of the certificate's DER. */
export const fingerprintOf = (certificate: X509Certificate): string =>
  certificate.fingerprint256.replaceAll(':', '').toLowerCase();

/** True when the bundle holds a valid root of the key whose public half is `spki` (DER). */
export const holdsRootOf = (bundle: string, spki: Uint8Array, now: number): boolean => {
  try {
    findRoot(bundle, spki, now);
    return true;
  } catch {
    return false;
  }
};

/**
 * The bundle after the change; the very same text when nothing changes by it. Adding what is there and removing what
 * is not are no errors. `own` is the public key (DER) of the stack's own enabled key, whose roots stay.
 * @throws InvalidInput on `add` or `remove`; Conflict when nothing would be left
 */
export function changeBundle(
  bundle: string,
  { add = [], remove = [] }: BundleChange,
  { own, now }: { own: Uint8Array | null; now: number },
): string {
  const before = readBundle(bundle);
  const all = new Map(before.map((certificate) => [fingerprintOf(certificate), certificate]));
  for (const certificate of add.flatMap(readAddition)) {
    checkAuthority(certificate, now);
    const fingerprint = fingerprintOf(certificate);
    if (!all.has(fingerprint)) all.set(fingerprint, certificate);
  }
  for (const text of remove) {
    const fingerprint = text.replaceAll(':', '').toLowerCase();
    if (!/^[0-9a-f]{64}$/.test(fingerprint))
      throw new InvalidInput('remove', 'must be the SHA-256 of a certificate, 64 hexadecimal digits');
    const certificate = all.get(fingerprint);
    if (certificate === undefined) continue;
    if (own !== null && certificate.publicKey.export({ format: 'der', type: 'spki' }).equals(own))
      throw new InvalidInput('remove', `${fingerprint} is the root of this deployment's own key and must stay`);
    all.delete(fingerprint);
  }
  if (all.size === 0) throw new Conflict('the truststore would be empty; add a certificate first');
  const same = all.size === before.length && before.every((certificate) => all.has(fingerprintOf(certificate)));
  if (same) return bundle;
  return joined('truststore', [...all.values()]);
}

/**
 * What `ca-cert` says where the truststore is `bundle` and `before` is what it said: the roots of the stack's own key
 * alone, for it is what verifies servers, and a CA is added to the truststore for its clients. While the key is not
 * enabled, those of before that are still in the truststore. @throws InvalidInput when it would be too long
 */
export function publishedRoots(bundle: string, own: Uint8Array | null, before: string | null): string {
  const known = readBundle(before ?? '').map(fingerprintOf);
  const isOwn = (certificate: X509Certificate): boolean =>
    own === null ? known.includes(fingerprintOf(certificate)) : isRootOf(own, certificate);
  return joined('ca-cert', readBundle(bundle).filter(isOwn)) || noRoots;
}

/** A parameter cannot be empty. */
const noRoots = 'no root is trusted\n';

const joined = (what: keyof typeof most, certificates: readonly X509Certificate[]): string => {
  const pem = certificates.map((certificate) => certificate.toString()).join('');
  if (pem.length <= most[what]) return pem;
  throw new InvalidInput('add', `${what} would have ${pem.length} bytes, ${most[what]} are possible; remove one first`);
};

const readAddition = (pem: string): X509Certificate[] => {
  const found = certificateBlocks(pem);
  if (found.length === 0) throw new InvalidInput('add', 'must be certificates in PEM');
  return found.map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new InvalidInput('add', 'holds a certificate that cannot be read');
    }
  });
};

const checkAuthority = (certificate: X509Certificate, now: number): void => {
  const name = certificate.subject.replaceAll('\n', ', ');
  if (!certificate.ca) throw new InvalidInput('add', `${name} is not a certificate authority`);
  if (Date.parse(certificate.validTo) <= now) throw new InvalidInput('add', `${name} expired ${certificate.validTo}`);
};
