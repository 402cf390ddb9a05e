/** GET /api/v1/principals/{principal_id} */
import { z } from 'zod';
import { mustReach } from '../../src/access/roles.ts';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { route } from '../../src/http/route.ts';
import { getPrincipal } from '../../src/principal/get-principal.ts';
import { principalIdSchema, viewPrincipal } from '../../src/principal/principal.ts';

export const handler = route(
  { path: z.strictObject({ principal_id: principalIdSchema }) },
  async ({ caller, reach, path: { principal_id } }) => {
    // By id, before reading: a refusal must not tell whether another principal exists.
    if (reach !== 'any') mustReach(reach, caller, { principal_id, type: null });
    return { status: 200, body: viewPrincipal(await getPrincipal(worldFromEnvironment(), principal_id)) };
  },
);
