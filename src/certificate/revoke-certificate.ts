/** Revokes a certificate: from the moment this returns no request with it is let in. */
import { authorOf } from '../access/caller.ts';
import { mustReach } from '../access/roles.ts';
import { transact } from '../aws/transact.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { NotAllowed, NotFound } from '../errors.ts';
import { findPrincipal } from '../principal/get-principal.ts';
import type { World } from '../world.ts';
import { findCertificate } from './find-certificates.ts';
import { type Revocation, type Revoked, revocationSteps, revoked } from './revocation.ts';
import { type Progress, revokeCompromised } from './revoke-compromised.ts';

/**
 * Revoking what is revoked keeps its first time and reason; for key_compromise it still bars the key and revokes what
 * falls with it. @throws NotFound, NotAllowed, Conflict when no usable admin would be left.
 */
export const revokeCertificate = async (world: World, input: Revocation): Promise<Revoked> => {
  const { caller, reach, serial_number, reason, force } = input;
  if (force && caller.principal_type !== 'admin') throw new NotAllowed('only an admin may use force', 'force');
  const revoked_at = world.now();
  const progress: Progress = { fallen: new Set(), walked: new Map() };
  return untilSettled(world, async () => {
    const certificate = await findCertificate(world, serial_number);
    if (certificate === null) throw new NotFound(`there is no certificate ${serial_number}`, 'serial_number');
    const principal_id = certificate.principal_id ?? '';
    const principal = principal_id === '' ? null : await findPrincipal(world, principal_id);
    mustReach(reach, caller, { principal_id, type: principal?.type ?? null });
    const found = { ...input, certificate, principal, revoked_at };
    if (reason === 'key_compromise') return revokeCompromised(world, found, progress);
    if (certificate.revoked) return revoked(certificate, []);
    return (await transact(world, authorOf(caller), await revocationSteps(world, found, [certificate]))) === 'again'
      ? 'again'
      : revoked({ ...certificate, revoked_at, revocation_reason: reason }, []);
  });
};
