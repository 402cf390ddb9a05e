/** DELETE /api/v1/identity/policies/{policy_id} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { deletePolicy } from '../../src/endpoint/delete-policy.ts';
import { policyIdSchema } from '../../src/endpoint/ids.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ policy_id: policyIdSchema }) },
  async ({ caller, path }) => ({ status: 200, body: await deletePolicy(worldFromEnvironment(), { caller, ...path }) }),
);
