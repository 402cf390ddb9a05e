/** Renews the certificate that the caller presents: same principal, type, SANs and lifetime, with a new key or the old. */
import { authorOf, type Caller } from '../access/caller.ts';
import { Conflict, NotAllowed } from '../errors.ts';
import type { PrincipalType } from '../principal/principal.ts';
import type { Certificate } from './certificate.ts';
import { findCertificate } from './find-certificates.ts';
import { type Issued, type IssuingWorld, issue } from './issue.ts';
import { day_ms, lifetimeOf, longestLifetime_days, renewalOpens } from './lifetime.ts';
import { admitActive } from './subject-row.ts';

const action = 'certificate_renewed';

export interface RenewalRequest {
  readonly caller: Caller;
  readonly csr: string;
  /** Renew before the window opens. */
  readonly force: boolean;
}

const mayForce: ReadonlySet<PrincipalType> = new Set<PrincipalType>(['admin', 'operator']);

/** @throws NotAllowed when others than operators and admins force; Conflict outside the window; and as `issue` does. */
export const renewCertificate = async (world: IssuingWorld, request: RenewalRequest): Promise<Issued> => {
  const { caller, csr, force } = request;
  if (force && !mayForce.has(caller.principal_type))
    throw new NotAllowed('only operators and admins may renew before the window opens');
  const presented = await findCertificate(world, caller.serial_number);
  return issue(world, {
    principal_id: caller.principal_id,
    csr,
    lifetime_ms: renewedLifetime(presented, world.now(), force),
    caller,
    author: authorOf(caller),
    action,
    renewed_from: caller.serial_number,
    admit: admitActive(caller.principal_id, action),
  });
};

const renewedLifetime = (presented: Certificate | null, now: number, force: boolean): number => {
  const { issued_at, expires_at } = presented ?? {};
  const lifetime =
    issued_at === undefined || expires_at === undefined ? Number.NaN : lifetimeOf({ issued_at, expires_at });
  if (issued_at === undefined || expires_at === undefined || !(lifetime > 0))
    throw new Conflict('the presented certificate’s record is invalid; have another one issued');
  const opens = renewalOpens({ issued_at, expires_at });
  if (now < opens && !force)
    throw new Conflict(`the certificate may be renewed from ${new Date(opens).toISOString()} on`);
  return Math.min(lifetime, longestLifetime_days * day_ms);
};
