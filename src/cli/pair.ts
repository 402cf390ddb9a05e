/**
 * A certificate and its key as two files that belong together. No file system renames two files at once, so replacing
 * both goes through `.next` and `.prev`, and whoever reads the pair finishes what a crash interrupted:
 *
 *   1. `key.next`, then `cert.next` are complete on disk: the pair in use is still the old one.
 *   2. `cert.prev`, `key.prev` are the old pair, whole.
 *   3. `key.next` is renamed over `key`, then `cert.next` over `cert`. A crash between the two leaves the new key beside
 *      the old certificate: the new certificate is `cert.next`, and `finishSwap` renames it; the old pair is `.prev`.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { Misuse } from './failure.ts';
import { keepPrevious, moveOver, privateMode, publicMode, readIfThere, writeAtomically } from './files.ts';

export interface PairFiles {
  readonly cert: string;
  readonly key: string;
}

export const nextOf = (file: string): string => `${file}.next`;

/** The first certificate of a PEM text; null when it holds none. */
export const readCertificate = (pem: string): X509Certificate | null => {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
};

/** null: no key, or another passphrase. */
export const readKey = (pem: string, passphrase?: string): KeyObject | null => {
  try {
    return createPrivateKey({ key: pem, format: 'pem', ...(passphrase === undefined ? {} : { passphrase }) });
  } catch {
    return null;
  }
};

export const isEncrypted = (pem: string): boolean =>
  pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || /^Proc-Type: 4,ENCRYPTED/m.test(pem);

/** Whether the first certificate of the text is the key's. */
export const belongTogether = (certificatePem: string, key: KeyObject): boolean =>
  readCertificate(certificatePem)?.checkPrivateKey(key) ?? false;

/** Whether a certificate can take the other's place: the same subject and SANs under the same issuer's name. */
export const standsFor = (one: X509Certificate, other: X509Certificate | null): boolean =>
  one.subject === other?.subject && one.subjectAltName === other.subjectAltName && one.issuer === other.issuer;

/** Finishes step 3 after a crash: `cert.next` is the certificate of `key`, `cert` is not. Says whether it did. */
export const finishSwap = ({ cert }: PairFiles, key: KeyObject): boolean => {
  const current = readCertificate(readIfThere(cert, cert) ?? '');
  const next = readCertificate(readIfThere(nextOf(cert), cert) ?? '');
  if (current === null || current.checkPrivateKey(key)) return false;
  if (next === null || !next.checkPrivateKey(key) || !standsFor(next, current)) return false;
  moveOver(nextOf(cert), cert);
  return true;
};

/** Before a pair is replaced by another: what stands there must be one, or `.prev` would be none. @throws Misuse when a sealed key hides whether it is. */
export const finishEarlierSwap = (files: PairFiles, passphrase?: string): void => {
  const pem = readIfThere(files.key, files.key);
  if (pem === null) return;
  const key = readKey(pem, passphrase);
  if (key !== null) finishSwap(files, key);
  else if (readIfThere(nextOf(files.cert), files.cert) !== null && readIfThere(nextOf(files.key), files.key) === null)
    throw new Misuse(
      `--passphrase-file: ${files.key} is left from an earlier run and sealed with another passphrase; use that one, or move ${nextOf(files.cert)} away`,
    );
};

/** Replaces the pair, or with `keyPem` null the certificate alone. `key.next` may hold the key already. */
export const installPair = (files: PairFiles, certificatePem: string, keyPem: string | null): void => {
  if (keyPem !== null && readIfThere(nextOf(files.key), files.key) !== keyPem)
    writeAtomically(nextOf(files.key), keyPem, privateMode);
  writeAtomically(nextOf(files.cert), certificatePem, publicMode);
  keepPrevious(files.cert, publicMode);
  keepPrevious(files.key, privateMode);
  if (keyPem !== null) moveOver(nextOf(files.key), files.key);
  moveOver(nextOf(files.cert), files.cert);
};
