/** POST /api/v1/certificates/renew {csr, force?} */
import { z } from 'zod';
import { signThroughFunction } from '../../src/aws/sign-through-function.ts';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { renewCertificate } from '../../src/certificate/renew-certificate.ts';
import { route, takesNothing } from '../../src/http/route.ts';

const body = z.strictObject({ csr: z.string(), force: z.boolean().default(false) });

export const handler = route({ ...takesNothing, body }, async ({ caller, body }) => {
  const world = worldFromEnvironment();
  const issuing = { ...world, sign: signThroughFunction(world.deployment) };
  return { status: 201, body: await renewCertificate(issuing, { caller, ...body }) };
});
