/** SHA-256 of a certificate's DER, lower-case hex. */
import { readCertificate } from '../cli/pair.ts';

/** Of the first certificate in a PEM text; null where there is none. */
export const fingerprintOf = (pem: string): string | null =>
  readCertificate(pem)?.fingerprint256.replaceAll(':', '').toLowerCase() ?? null;
