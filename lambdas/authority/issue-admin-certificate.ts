/** Invoked by `everleaf bootstrap` with AWS credentials: the first admins' certificates. */
import { functionAuthor } from '../../src/audit/author.ts';
import { signThroughFunction } from '../../src/aws/sign-through-function.ts';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { adminRequestSchema, issueAdminCertificate } from '../../src/certificate/issue-admin-certificate.ts';
import { internal } from '../../src/remote-error.ts';

export const handler = internal(adminRequestSchema, (request, invocation) => {
  const world = worldFromEnvironment();
  const author = functionAuthor('issue-admin-certificate', invocation);
  return issueAdminCertificate({ ...world, sign: signThroughFunction(world.deployment) }, author, request);
});
