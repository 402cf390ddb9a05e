/** POST /enroll {fleet_id, token, csr}, on the API without mutual TLS. */
import { functionAuthor } from '../../src/audit/author.ts';
import { domainSchema } from '../../src/authority/sign-request.ts';
import { required } from '../../src/aws/environment.ts';
import { signThroughFunction } from '../../src/aws/sign-through-function.ts';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { enroll, enrolmentSchema } from '../../src/enrolment/enroll.ts';
import { openRoute } from '../../src/http/open-route.ts';

export const handler = openRoute(enrolmentSchema, async (enrolment, awsRequestId) => {
  const world = worldFromEnvironment();
  const enrolling = {
    ...world,
    sign: signThroughFunction(world.deployment),
    server: `https://${domainSchema.parse(required('DOMAIN_NAME'))}`,
  };
  return { status: 201, body: await enroll(enrolling, functionAuthor('enroll', { awsRequestId }), enrolment) };
});
