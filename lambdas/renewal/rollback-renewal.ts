/** POST /api/v1/identity/renewals/{job_id}/rollback {reason} */
import { z } from 'zod';
import { rollingWorld } from '../../src/aws/renewal-world.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { reasonSchema } from '../../src/principal/reason.ts';
import { jobIdSchema, viewJob } from '../../src/renewal/job.ts';
import { rollbackJob } from '../../src/renewal/rollback-job.ts';

export const handler = route(
  {
    ...takesNothing,
    path: z.strictObject({ job_id: jobIdSchema }),
    body: z.strictObject({ reason: reasonSchema }),
  },
  async ({ caller, path, body }) => ({
    status: 200,
    body: viewJob(await rollbackJob(rollingWorld(), { caller, ...path, ...body })),
  }),
);
