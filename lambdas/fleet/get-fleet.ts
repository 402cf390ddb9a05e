/** GET /api/v1/identity/fleets/{fleet_id} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { fleetIdSchema } from '../../src/endpoint/ids.ts';
import { showFleet } from '../../src/endpoint/show-fleet.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ fleet_id: fleetIdSchema }) },
  async ({ path: { fleet_id } }) => ({ status: 200, body: await showFleet(worldFromEnvironment(), fleet_id) }),
);
