/** Invoked by `everleaf bootstrap` with AWS credentials: the first admins' certificates. */
import { signThroughFunction } from '../../src/aws/sign-through-function.ts';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { adminRequestSchema, issueAdminCertificate } from '../../src/certificate/issue-admin-certificate.ts';
import { internal } from '../../src/remote-error.ts';

export const handler = internal(adminRequestSchema, (request) => {
  const world = worldFromEnvironment();
  return issueAdminCertificate({ ...world, sign: signThroughFunction(world.deployment) }, request);
});
