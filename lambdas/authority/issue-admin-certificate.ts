/** Invoked by `everleaf bootstrap` with AWS credentials: the first admins' certificates. */
import { z } from 'zod';
import { signThroughFunction } from '../../src/aws/sign-through-function.ts';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { issueAdminCertificate } from '../../src/certificate/issue-admin-certificate.ts';
import { lifetimeSchema } from '../../src/certificate/lifetime.ts';
import { principalIdSchema } from '../../src/principal/principal.ts';
import { internal } from '../../src/remote-error.ts';

const payload = z.strictObject({
  principal_id: principalIdSchema,
  csr: z.string(),
  lifetime_days: lifetimeSchema.optional(),
});

export const handler = internal(payload, (request) => {
  const world = worldFromEnvironment();
  return issueAdminCertificate({ ...world, sign: signThroughFunction(world.deployment) }, request);
});
