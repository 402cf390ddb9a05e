/** What the server says of certificates, and how it is shown. */
import { z } from 'zod';
import { date, lines } from './print.ts';

export const certificateSchema = z.looseObject({
  serial_number: z.string(),
  principal_id: z.string().optional(),
  issued_at: z.number().optional(),
  expires_at: z.number().optional(),
  status: z.string(),
  revoked_at: z.number().optional(),
  revocation_reason: z.string().optional(),
});
export type ShownCertificate = z.infer<typeof certificateSchema>;

export const certificatesSchema = z
  .object({ certificates: z.array(certificateSchema), next_token: z.string().optional() })
  .transform(({ certificates, next_token }) => ({ rows: certificates, next_token }));

export const revokedSchema = certificateSchema.extend({ also_revoked: z.array(z.string()).default([]) });

export const issuedSchema = z.object({
  serial_number: z.string(),
  /** Printed and written as it comes, so it holds nothing but PEM's characters. */
  pem: z.string().regex(/^[\n\x20-\x7e]*$/),
  chain: z.string(),
  expires_at: z.number(),
});
export type IssuedAnswer = z.infer<typeof issuedSchema>;

const optionalDate = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : date(ms));

/** The runbook's block; the principal where it does not go without saying, and why it is revoked, follow. */
export const describeCertificate = (certificate: ShownCertificate, withPrincipal: boolean): string =>
  lines([
    ['Serial', certificate.serial_number],
    ['Issued', optionalDate(certificate.issued_at)],
    ['Expires', optionalDate(certificate.expires_at)],
    ['Status', certificate.status],
    ['Revoked At', optionalDate(certificate.revoked_at)],
    ['Revocation Reason', certificate.revocation_reason],
    ['Principal', withPrincipal ? certificate.principal_id : undefined],
  ]);
