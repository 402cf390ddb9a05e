/** GET /api/v1/identity/fleets?limit=&next_token= */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { viewFleet } from '../../src/endpoint/fleet.ts';
import { fleetIdSchema } from '../../src/endpoint/ids.ts';
import { listFleets } from '../../src/endpoint/list-fleets.ts';
import { limitSchema, pageToken } from '../../src/http/page.ts';
import { route, takesNothing } from '../../src/http/route.ts';

const token = pageToken('fleets', fleetIdSchema);
const query = z.strictObject({
  limit: limitSchema({ most: 200, usual: 50 }),
  next_token: token.schema.optional(),
});

export const handler = route({ ...takesNothing, query }, async ({ query: { limit, next_token: after } }) => {
  const { fleets, next } = await listFleets(worldFromEnvironment(), { limit, after });
  return {
    status: 200,
    body: { fleets: fleets.map(viewFleet), ...(next === undefined ? {} : { next_token: token.write(next) }) },
  };
});
