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
    // By id alone and before reading, so that a refusal does not tell whether another principal exists.
    if (reach === 'self') mustReach(reach, caller, { principal_id, type: null });
    const principal = await getPrincipal(worldFromEnvironment(), principal_id);
    mustReach(reach, caller, principal);
    return { status: 200, body: viewPrincipal(principal) };
  },
);
