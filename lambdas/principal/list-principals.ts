/** GET /api/v1/principals?status=&type=&limit=&next_token= */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { anyCase, limitSchema, pageToken } from '../../src/http/page.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { listPrincipals } from '../../src/principal/list-principals.ts';
import { principalStatuses, principalTypes, viewPrincipal } from '../../src/principal/principal.ts';

const token = pageToken('principals', z.string().min(1).max(256));
const query = z.strictObject({
  status: anyCase(principalStatuses).optional(),
  type: anyCase(principalTypes).optional(),
  limit: limitSchema({ most: 200, usual: 50 }),
  next_token: token.schema.optional(),
});

export const handler = route({ ...takesNothing, query }, async ({ query: { next_token, ...filter } }) => {
  const { principals, next } = await listPrincipals(worldFromEnvironment(), { ...filter, after: next_token });
  return {
    status: 200,
    body: {
      principals: principals.map(viewPrincipal),
      ...(next === undefined ? {} : { next_token: token.write(next) }),
    },
  };
});
