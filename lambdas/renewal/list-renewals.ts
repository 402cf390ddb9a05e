/** GET /api/v1/identity/renewals?status=&endpoint_id=&limit=&next_token= */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { endpointIdSchema } from '../../src/endpoint/ids.ts';
import { limitSchema, pageToken } from '../../src/http/page.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { jobIdSchema, viewJob } from '../../src/renewal/job.ts';
import { listJobs } from '../../src/renewal/list-jobs.ts';
import { statuses } from '../../src/renewal/status.ts';

const token = pageToken('renewals', jobIdSchema);
const query = z.strictObject({
  /** The runbook's are in lower case. */
  status: z
    .string()
    .toUpperCase()
    .pipe(z.enum(statuses, `must be one of ${statuses.join(', ')}`))
    .optional(),
  endpoint_id: endpointIdSchema.optional(),
  limit: limitSchema({ most: 200, usual: 50 }),
  next_token: token.schema.optional(),
});

export const handler = route({ ...takesNothing, query }, async ({ query: { next_token: after, ...filter } }) => {
  const { jobs, next } = await listJobs(worldFromEnvironment(), { ...filter, after });
  return {
    status: 200,
    body: {
      jobs: jobs.map((job) => ('invalid' in job ? job : viewJob(job))),
      ...(next === undefined ? {} : { next_token: token.write(next) }),
    },
  };
});
