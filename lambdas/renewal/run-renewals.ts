/** POST /api/v1/identity/renewals/run {endpoint_ids, policy_id?} */
import { z } from 'zod';
import { runningWorld } from '../../src/aws/renewal-world.ts';
import { endpointIdSchema, policyIdSchema } from '../../src/endpoint/ids.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { runRenewals } from '../../src/renewal/run-renewals.ts';

const most = 100;
const body = z.strictObject({
  endpoint_ids: z
    .array(endpointIdSchema)
    .min(1, 'must name at least one endpoint')
    .max(most, `must be at most ${most} endpoints`),
  policy_id: policyIdSchema.optional(),
});

export const handler = route({ ...takesNothing, body }, async ({ caller, body }) => ({
  status: 202,
  body: { jobs: await runRenewals(runningWorld(), { caller, ...body }) },
}));
