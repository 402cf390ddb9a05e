/** POST /api/v1/principals/{principal_id}/suspend {reason, force?} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { principalIdSchema, viewPrincipal } from '../../src/principal/principal.ts';
import { reasonSchema } from '../../src/principal/reason.ts';
import { suspendPrincipal } from '../../src/principal/suspend-principal.ts';

export const handler = route(
  {
    ...takesNothing,
    path: z.strictObject({ principal_id: principalIdSchema }),
    body: z.strictObject({ reason: reasonSchema, force: z.boolean().default(false) }),
  },
  async ({ caller, reach, path, body }) => ({
    status: 200,
    body: viewPrincipal(await suspendPrincipal(worldFromEnvironment(), { caller, reach, ...path, ...body })),
  }),
);
