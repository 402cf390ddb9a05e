/** GET /api/v1/identity/audit/{sequence}/proof */
import { z } from 'zod';
import { proveEntry } from '../../src/audit/prove.ts';
import { verifyingWorld } from '../../src/aws/verifying-world.ts';
import { route, takesNothing } from '../../src/http/route.ts';

const path = z.strictObject({
  sequence: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, 'must be the sequence of an entry, from 1')
    .transform(Number),
});

export const handler = route({ ...takesNothing, path }, async ({ path: { sequence } }) => ({
  status: 200,
  body: await proveEntry(verifyingWorld(), sequence),
}));
