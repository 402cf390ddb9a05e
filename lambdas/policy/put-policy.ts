/** PUT /api/v1/identity/policies/{policy_id} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { policyIdSchema } from '../../src/endpoint/ids.ts';
import { viewPolicy } from '../../src/endpoint/policy.ts';
import { putPolicy } from '../../src/endpoint/put-policy.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { policyInputSchema } from '../../src/renewal/policy.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ policy_id: policyIdSchema }), body: policyInputSchema },
  async ({ caller, path, body: input }) => {
    const { policy, created, warnings } = await putPolicy(worldFromEnvironment(), { caller, ...path, input });
    return { status: created ? 201 : 200, body: { ...viewPolicy(policy), warnings } };
  },
);
