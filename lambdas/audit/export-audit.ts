/** GET /api/v1/identity/audit/export?from_sequence=&head_size=&limit= */
import { z } from 'zod';
import { exportEntries } from '../../src/audit/export-entries.ts';
import { verifyingWorld } from '../../src/aws/verifying-world.ts';
import { limitSchema } from '../../src/http/page.ts';
import { route, takesNothing } from '../../src/http/route.ts';

const sequence = z
  .string()
  .regex(/^[1-9]\d{0,14}$/, 'must be a whole number from 1')
  .transform(Number);
const query = z.strictObject({
  from_sequence: sequence.optional(),
  head_size: sequence.optional(),
  limit: limitSchema({ most: 500, usual: 200 }),
});

export const handler = route(
  { ...takesNothing, query },
  async ({ query: { from_sequence = 1, head_size, limit } }) => ({
    status: 200,
    body: await exportEntries(verifyingWorld(), { from_sequence, head_size, limit }),
  }),
);
