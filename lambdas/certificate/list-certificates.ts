/** GET /api/v1/certificates?principal_id=&expiring_within=30d&status=&limit=&next_token= */
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { listCertificates } from '../../src/certificate/list-certificates.ts';
import { certificatesQuerySchema, certificatesToken } from '../../src/certificate/list-query.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route({ ...takesNothing, query: certificatesQuerySchema }, async ({ caller, reach, query }) => {
  const { expiring_within: expiring_within_ms, next_token: after, ...rest } = query;
  const page = await listCertificates(worldFromEnvironment(), { caller, reach, expiring_within_ms, after, ...rest });
  return {
    status: 200,
    body: {
      certificates: page.certificates,
      ...(page.next === undefined ? {} : { next_token: certificatesToken.write(page.next) }),
    },
  };
});
