/** POST /api/v1/principals/{principal_id}/activate */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { activatePrincipal } from '../../src/principal/activate-principal.ts';
import { principalIdSchema, viewPrincipal } from '../../src/principal/principal.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ principal_id: principalIdSchema }) },
  async ({ caller, reach, path }) => ({
    status: 200,
    body: viewPrincipal(await activatePrincipal(worldFromEnvironment(), { caller, reach, ...path })),
  }),
);
