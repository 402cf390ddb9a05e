/** `ca-cert.pem`: what verifies both the API's domain and servers with our CA's certificates; pure. */
import { X509Certificate } from 'node:crypto';
import { certificateBlocks } from '../authority/pem.ts';

/** The certificates of a PEM text in their order. @throws Error for a block that is none. */
export const readCertificates = (pem: string): X509Certificate[] =>
  certificateBlocks(pem).map((text) => new X509Certificate(text));

/** By name and by signature. */
export const issued = (issuer: X509Certificate, certificate: X509Certificate): boolean =>
  issuer.subject === certificate.issuer && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);

/**
 * The roots that verify a server's chain (its certificate first): of the public ones each that issued a certificate of
 * it, since chains are cross-signed; where none did, the chain's own self-signed root, else its last certificate.
 */
export const rootsOf = (
  chain: readonly X509Certificate[],
  publicRoots: readonly X509Certificate[],
): X509Certificate[] => {
  const found = publicRoots.filter((root) => chain.some((certificate) => issued(root, certificate)));
  if (found.length > 0) return found;
  const own = chain.filter((certificate) => issued(certificate, certificate));
  return own.length > 0 ? own : chain.slice(-1);
};

/** Our roots, then the domain's, each once, as one PEM text. */
export const trustBundle = (ours: string, domain: string, publicRoots: readonly string[]): { pem: string } => {
  const roots = readCertificates(ours);
  const theirs = rootsOf(
    readCertificates(domain),
    publicRoots.map((root) => new X509Certificate(root)),
  );
  const all = new Map([...roots, ...theirs].map((certificate) => [certificate.fingerprint256, certificate.toString()]));
  return { pem: [...all.values()].map((pem) => `${pem.trim()}\n`).join('') };
};
