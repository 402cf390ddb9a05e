/** Issues an admin's certificate for `bootstrap`, which no gate let in but AWS: the way in before there is an admin. */
import { z } from 'zod';
import type { Author } from '../audit/stamp.ts';
import { bootstrapAdmins } from '../principal/principal.ts';
import { type Issued, type IssuingWorld, issue } from './issue.ts';
import { day_ms, defaultLifetime_days } from './lifetime.ts';
import { admitAdmin } from './subject-row.ts';

const action = 'certificate_issued';

export interface AdminRequest {
  readonly principal_id: string;
  readonly csr: string;
}

/** What the function is asked: for one of bootstrap's own two admins, nobody else. */
export const adminRequestSchema = z.strictObject({ principal_id: z.enum(bootstrapAdmins), csr: z.string() });

/**
 * Registers the principal as an admin where there is none, and activates it, in the transaction that writes the
 * certificate. @throws InvalidInput on `csr`; Conflict when the principal is no admin or has enough certificates.
 */
export const issueAdminCertificate = (
  world: IssuingWorld,
  author: Author,
  { principal_id, csr }: AdminRequest,
): Promise<Issued> =>
  issue(world, {
    principal_id,
    csr,
    lifetime_ms: defaultLifetime_days * day_ms,
    caller: null,
    author,
    action,
    admit: admitAdmin(world, principal_id, action),
  });
