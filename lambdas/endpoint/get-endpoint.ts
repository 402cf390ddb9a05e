/** GET /api/v1/identity/endpoints/{endpoint_id} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { viewEndpoint } from '../../src/endpoint/endpoint.ts';
import { getEndpoint } from '../../src/endpoint/get-endpoint.ts';
import { endpointIdSchema } from '../../src/endpoint/ids.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ endpoint_id: endpointIdSchema }) },
  async ({ path: { endpoint_id } }) => ({
    status: 200,
    body: viewEndpoint(await getEndpoint(worldFromEnvironment(), endpoint_id)),
  }),
);
