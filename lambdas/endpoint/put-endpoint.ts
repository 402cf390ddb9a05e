/** PUT /api/v1/identity/endpoints/{endpoint_id} */
import { z } from 'zod';
import { viewEndpoint } from '../../src/endpoint/endpoint.ts';
import { endpointInputSchema } from '../../src/endpoint/endpoint-settings.ts';
import { endpointWorld } from '../../src/endpoint/endpoint-world.ts';
import { endpointIdSchema } from '../../src/endpoint/ids.ts';
import { putEndpoint } from '../../src/endpoint/put-endpoint.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ endpoint_id: endpointIdSchema }), body: endpointInputSchema },
  async ({ caller, path, body: input }) => {
    const { endpoint, created, warnings } = await putEndpoint(endpointWorld(), { caller, ...path, input });
    return { status: created ? 201 : 200, body: { ...viewEndpoint(endpoint), warnings } };
  },
);
