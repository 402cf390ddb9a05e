/** POST /api/v1/principals */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { createPrincipal } from '../../src/principal/create-principal.ts';
import { principalIdSchema, principalTypeSchema, viewPrincipal } from '../../src/principal/principal.ts';

export const handler = route(
  { ...takesNothing, body: z.strictObject({ principal_id: principalIdSchema, type: principalTypeSchema }) },
  async ({ caller, reach, body }) => ({
    status: 201,
    body: viewPrincipal(await createPrincipal(worldFromEnvironment(), { caller, reach, ...body })),
  }),
);
