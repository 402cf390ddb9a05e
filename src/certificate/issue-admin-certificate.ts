/** Issues an admin's certificate for `bootstrap`, which no gate let in but AWS: the way in before there is an admin. */
import { type Issued, type IssuingWorld, issue } from './issue.ts';
import { day_ms, defaultLifetime_days } from './lifetime.ts';
import { admitAdmin, writeAdmin } from './subject-row.ts';

export interface AdminRequest {
  readonly principal_id: string;
  readonly csr: string;
  readonly lifetime_days?: number | undefined;
}

/**
 * Registers the principal as an admin where there is none, and activates it, in the transaction that writes the
 * certificate. @throws InvalidInput on `csr`; Conflict when the principal is no admin or has enough certificates.
 */
export const issueAdminCertificate = (
  world: IssuingWorld,
  { principal_id, csr, lifetime_days = defaultLifetime_days }: AdminRequest,
): Promise<Issued> =>
  issue(world, {
    principal_id,
    csr,
    lifetime_ms: lifetime_days * day_ms,
    caller: null,
    admit: admitAdmin(principal_id),
    writeSubject: writeAdmin(world, principal_id),
  });
