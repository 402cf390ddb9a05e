/** DELETE /api/v1/identity/fleets/{fleet_id} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { deleteFleet } from '../../src/endpoint/delete-fleet.ts';
import { fleetIdSchema } from '../../src/endpoint/ids.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ fleet_id: fleetIdSchema }) },
  async ({ caller, path }) => ({ status: 200, body: await deleteFleet(worldFromEnvironment(), { caller, ...path }) }),
);
