/** A certificate: what its row says, read so that a row edited by hand never crashes a read and never looks better than it is. */
import { z } from 'zod';
import type { Row } from '../aws/unchanged.ts';
import { recordInvalid } from '../principal/principal.ts';
import type { Generation } from './generation.ts';

export const certificateStatuses = ['active', 'revoked', 'expired'] as const;
export type CertificateStatus = (typeof certificateStatuses)[number];

/**
 * The runbook's four, and RFC 5280's (5.3.1) others but remove_from_crl, which belongs to delta CRLs alone. None is
 * undone here, certificate_hold neither: to hold, suspend the principal.
 */
export const revocationReasons = [
  'key_compromise',
  'superseded',
  'cessation_of_operation',
  'affiliation_changed',
  'unspecified',
  'ca_compromise',
  'certificate_hold',
  'privilege_withdrawn',
  'aa_compromise',
] as const;
export type RevocationReason = (typeof revocationReasons)[number];

/** What issuing writes. Times in ms since the epoch; digests in lower-case hex. */
export interface CertificateRow {
  readonly serial_number: string;
  readonly principal_id: string;
  readonly issued_at: number;
  readonly expires_at: number;
  readonly revoked: boolean;
  readonly revoked_at?: number;
  readonly revocation_reason?: string;
  /** SHA-256 of the DER. */
  readonly fingerprint: string;
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly public_key_sha256: string;
  readonly generation: number;
  /** The serial that was presented to renew it. */
  readonly renewed_from?: string;
  readonly subject: string;
  readonly sans: readonly string[];
  /** Subject key identifier of the CA that signed it. */
  readonly authority: string;
  readonly pem: string;
  readonly expiry_bucket: string;
}

/** A certificate as it is read back: a field that the row lacks, or has of a wrong type, is absent. */
export interface Certificate extends Partial<Omit<CertificateRow, 'expiry_bucket' | 'revoked'>> {
  readonly serial_number: string;
  /** true for anything but a BOOL false, as the gate has it. */
  readonly revoked: boolean;
  /** The row as it was read, for the condition that it still is. */
  readonly row: Row;
}

const text = z.string().optional().catch(undefined);
const instant = z.number().min(0).max(8.64e15).optional().catch(undefined);

const rowSchema = z.object({
  serial_number: z.string(),
  principal_id: text,
  issued_at: instant,
  expires_at: instant,
  revoked: z.unknown().optional(),
  revoked_at: instant,
  revocation_reason: text,
  fingerprint: text,
  public_key_sha256: text,
  generation: z.number().int().min(0).optional().catch(undefined),
  renewed_from: text,
  subject: text,
  sans: z.array(z.string()).readonly().optional().catch(undefined),
  authority: text,
  pem: text,
});

/** Reads a row of the certificates table, or of one of its indexes. */
export const parseCertificate = (item: Row): Certificate => {
  const { serial_number, revoked, ...row } = rowSchema.parse(item);
  const present = Object.entries(row).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(present), serial_number, revoked: revoked !== false, row: item };
};

export interface Standing {
  readonly status: CertificateStatus;
  /** Why it is revoked. */
  readonly revocation_reason?: string;
}

/**
 * Whether the gate would let the certificate in, were its principal active; `now` in ms. `revoked` outranks `expired`.
 * `fingerprint` is not asked for: listings read indexes that leave it out.
 */
export const standingOf = (certificate: Certificate, current: Generation, now: number): Standing => {
  if (certificate.revoked)
    return { status: 'revoked', revocation_reason: certificate.revocation_reason || recordInvalid };
  const { principal_id, generation, expires_at } = certificate;
  if (principal_id === undefined || generation === undefined || expires_at === undefined)
    return { status: 'revoked', revocation_reason: recordInvalid };
  if (generation < current.generation && !current.exempt_serials.has(certificate.serial_number))
    return { status: 'revoked', revocation_reason: `emergency: ${current.reason || recordInvalid}` };
  return { status: expires_at > now ? 'active' : 'expired' };
};

/** Whether it could still be let in, now or after an emergency exempts it: unrevoked and unexpired. `now` in ms. */
export const mayStillBeUsed = ({ revoked, expires_at }: Certificate, now: number): boolean =>
  !revoked && expires_at !== undefined && expires_at > now;

/** What the API shows of a certificate. Times in ms since the epoch. */
export type CertificateView = Omit<Certificate, 'revoked' | 'row'> & Standing;

export const viewCertificate = (certificate: Certificate, current: Generation, now: number): CertificateView => {
  const { revoked: _revoked, revocation_reason: _reason, row: _row, ...rest } = certificate;
  return { ...rest, ...standingOf(certificate, current, now) };
};
