/** POST /api/v1/identity/fleets/{fleet_id}/tokens */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { fleetIdSchema } from '../../src/endpoint/ids.ts';
import { makeToken } from '../../src/endpoint/make-token.ts';
import { tokenInputSchema } from '../../src/endpoint/token.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ fleet_id: fleetIdSchema }), body: tokenInputSchema },
  async ({ caller, path, body: input }) => ({
    status: 201,
    body: await makeToken(worldFromEnvironment(), { caller, ...path, input }),
  }),
);
