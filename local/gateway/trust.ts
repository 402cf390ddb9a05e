/** Decides, as API Gateway's mutual TLS does, whether a client certificate leads to one of the truststore's authorities. */
// @peculiar/x509 needs it before itself.
import 'reflect-metadata';
import { X509Certificate } from 'node:crypto';
import { BasicConstraintsExtension, X509Certificate as Parsed } from '@peculiar/x509';

/** Leaf, at most two between, authority. */
const longestChain = 4;

/** The certificates of a truststore; what cannot be read is left out and named in `warnings`, as API Gateway does. */
export const readTruststore = (pem: string): { authorities: X509Certificate[]; warnings: string[] } => {
  const authorities: X509Certificate[] = [];
  const warnings: string[] = [];
  for (const [block] of pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)) {
    try {
      authorities.push(new X509Certificate(block));
    } catch (error) {
      warnings.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { authorities, warnings };
};

const isInTime = (certificate: X509Certificate, now: number): boolean =>
  Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);

const longestBelow = (authority: X509Certificate): number =>
  new Parsed(authority.raw).getExtension(BasicConstraintsExtension)?.pathLength ?? Number.POSITIVE_INFINITY;

const signed = (issuer: X509Certificate, subject: X509Certificate): boolean =>
  issuer.ca && subject.checkIssued(issuer) && subject.verify(issuer.publicKey);

/**
 * Whether a chain leads from the presented certificate to an authority, each link signed, in time (ms) and allowed to
 * sign. `presented` is the leaf, then what the client sent with it. What the leaf may be used for is the gate's to decide.
 */
export const isTrusted = (
  presented: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  now: number,
): boolean => {
  const [leaf, ...between] = presented;
  if (!leaf || !isInTime(leaf, now)) return false;
  const leads = (certificate: X509Certificate, above: number): boolean => {
    // `above` certificates stand below this one's issuer; path lengths do not count the leaf.
    const mayIssue = (issuer: X509Certificate) =>
      isInTime(issuer, now) && longestBelow(issuer) >= above - 1 && signed(issuer, certificate);
    if (above >= longestChain) return false;
    if (authorities.some(mayIssue)) return true;
    return between.some(
      (issuer) => issuer.fingerprint256 !== certificate.fingerprint256 && mayIssue(issuer) && leads(issuer, above + 1),
    );
  };
  return leads(leaf, 1);
};
