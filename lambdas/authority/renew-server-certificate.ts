/** Invoked by `everleaf bootstrap`: a new key and certificate for the server, into SSM. */
import { z } from 'zod';
import { functionAuthor } from '../../src/audit/author.ts';
import { renewServerCertificate } from '../../src/authority/renew-server-certificate.ts';
import { domainSchema } from '../../src/authority/sign-request.ts';
import { openParameters } from '../../src/aws/parameters.ts';
import { signThroughFunction } from '../../src/aws/sign-through-function.ts';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { internal } from '../../src/remote-error.ts';

const payload = z.strictObject({ domain: domainSchema.optional() });

export const handler = internal(payload, ({ domain: asked }, invocation) => {
  const world = worldFromEnvironment();
  return renewServerCertificate(
    { ...world, sign: signThroughFunction(world.deployment), parameters: openParameters(world.deployment) },
    functionAuthor('renew-server-certificate', invocation),
    { domain: domainSchema.parse(process.env.DOMAIN_NAME), asked },
  );
});
