/** GET /api/v1/identity/policies/{policy_id} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { getPolicy } from '../../src/endpoint/get-policy.ts';
import { policyIdSchema } from '../../src/endpoint/ids.ts';
import { viewPolicy } from '../../src/endpoint/policy.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ policy_id: policyIdSchema }) },
  async ({ path: { policy_id } }) => ({
    status: 200,
    body: viewPolicy(await getPolicy(worldFromEnvironment(), policy_id)),
  }),
);
