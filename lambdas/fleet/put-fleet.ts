/** PUT /api/v1/identity/fleets/{fleet_id} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { fleetInputSchema, viewFleet } from '../../src/endpoint/fleet.ts';
import { fleetIdSchema } from '../../src/endpoint/ids.ts';
import { putFleet } from '../../src/endpoint/put-fleet.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ fleet_id: fleetIdSchema }), body: fleetInputSchema },
  async ({ caller, path, body: input }) => {
    const { fleet, created } = await putFleet(worldFromEnvironment(), { caller, ...path, input });
    return { status: created ? 201 : 200, body: viewFleet(fleet) };
  },
);
