/** GET /api/v1/identity/renewals/{job_id} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { getJob } from '../../src/renewal/find-job.ts';
import { jobIdSchema, viewJob } from '../../src/renewal/job.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ job_id: jobIdSchema }) },
  async ({ path: { job_id } }) => ({ status: 200, body: viewJob(await getJob(worldFromEnvironment(), job_id)) }),
);
