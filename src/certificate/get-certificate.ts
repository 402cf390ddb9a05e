/** Reads one certificate. */
import type { Caller } from '../access/caller.ts';
import { mustReach, type Reach } from '../access/roles.ts';
import { NotFound } from '../errors.ts';
import type { World } from '../world.ts';
import { type CertificateView, viewCertificate } from './certificate.ts';
import { findCertificate } from './find-certificates.ts';
import { readGeneration } from './generation.ts';

/** Who may see only its own is refused alike whether the certificate is another's or nobody's. @throws NotFound, NotAllowed */
export const getCertificate = async (
  world: World,
  { caller, reach, serial_number }: { caller: Caller; reach: Reach; serial_number: string },
): Promise<CertificateView> => {
  const [certificate, current] = await Promise.all([findCertificate(world, serial_number), readGeneration(world)]);
  if (reach !== 'any') mustReach(reach, caller, { principal_id: certificate?.principal_id ?? '', type: null });
  if (certificate === null) throw new NotFound(`there is no certificate ${serial_number}`, 'serial_number');
  // The gate does not know a row without a fingerprint; a listing cannot tell, this can.
  const known = certificate.fingerprint !== undefined;
  return viewCertificate(known ? certificate : { ...certificate, revoked: true }, current, world.now());
};
