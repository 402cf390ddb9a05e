/** DELETE /api/v1/identity/fleets/{fleet_id}/tokens/{token_id} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { fleetIdSchema } from '../../src/endpoint/ids.ts';
import { revokeToken } from '../../src/endpoint/revoke-token.ts';
import { tokenIdSchema } from '../../src/endpoint/token.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ fleet_id: fleetIdSchema, token_id: tokenIdSchema }) },
  async ({ caller, path }) => ({ status: 200, body: await revokeToken(worldFromEnvironment(), { caller, ...path }) }),
);
