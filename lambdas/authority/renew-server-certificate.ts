/** Invoked by `everleaf bootstrap`: a new key and certificate for the server, into SSM. */
import { z } from 'zod';
import { renewServerCertificate } from '../../src/authority/renew-server-certificate.ts';
import { domainSchema } from '../../src/authority/sign-request.ts';
import { openParameters } from '../../src/aws/parameters.ts';
import { signThroughFunction } from '../../src/aws/sign-through-function.ts';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { InvalidInput } from '../../src/errors.ts';
import { internal } from '../../src/remote-error.ts';

const payload = z.strictObject({ domain: domainSchema.optional() });

export const handler = internal(payload, ({ domain }) => {
  const world = worldFromEnvironment();
  const served = domainSchema.parse(process.env.DOMAIN_NAME);
  if (domain !== undefined && domain !== served)
    throw new InvalidInput('domain', `is not this deployment's, which is ${served}`);
  return renewServerCertificate(
    { ...world, sign: signThroughFunction(world.deployment), parameters: openParameters(world.deployment) },
    { domain: served },
  );
});
