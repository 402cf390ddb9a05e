/** GET /api/v1/identity/policies?limit=&next_token= */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { policyIdSchema } from '../../src/endpoint/ids.ts';
import { listPolicies } from '../../src/endpoint/list-policies.ts';
import { viewPolicy } from '../../src/endpoint/policy.ts';
import { limitSchema, pageToken } from '../../src/http/page.ts';
import { route, takesNothing } from '../../src/http/route.ts';

const token = pageToken('policies', policyIdSchema);
const query = z.strictObject({
  limit: limitSchema({ most: 200, usual: 50 }),
  next_token: token.schema.optional(),
});

export const handler = route({ ...takesNothing, query }, async ({ query: { limit, next_token: after } }) => {
  const { policies, next } = await listPolicies(worldFromEnvironment(), { limit, after });
  return {
    status: 200,
    body: { policies: policies.map(viewPolicy), ...(next === undefined ? {} : { next_token: token.write(next) }) },
  };
});
