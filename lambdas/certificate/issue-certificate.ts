/** POST /api/v1/certificates {principal_id, csr, lifetime_days?} */
import { z } from 'zod';
import { signThroughFunction } from '../../src/aws/sign-through-function.ts';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { issueCertificate } from '../../src/certificate/issue-certificate.ts';
import { lifetimeSchema } from '../../src/certificate/lifetime.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { principalIdSchema } from '../../src/principal/principal.ts';

const body = z.strictObject({
  principal_id: principalIdSchema,
  csr: z.string(),
  lifetime_days: lifetimeSchema.optional(),
});

export const handler = route({ ...takesNothing, body }, async ({ caller, reach, body }) => {
  const world = worldFromEnvironment();
  const issuing = { ...world, sign: signThroughFunction(world.deployment) };
  return { status: 201, body: await issueCertificate(issuing, { caller, reach, ...body }) };
});
