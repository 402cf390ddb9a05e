/** GET /api/v1/principals/{principal_id} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { showPrincipal } from '../../src/principal/get-principal.ts';
import { principalIdSchema, viewPrincipal } from '../../src/principal/principal.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ principal_id: principalIdSchema }) },
  async ({ caller, reach, path }) => ({
    status: 200,
    body: viewPrincipal(await showPrincipal(worldFromEnvironment(), { caller, reach, ...path })),
  }),
);
