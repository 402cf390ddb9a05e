/** DELETE /api/v1/identity/endpoints/{endpoint_id} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { deleteEndpoint } from '../../src/endpoint/delete-endpoint.ts';
import { endpointIdSchema } from '../../src/endpoint/ids.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route(
  { ...takesNothing, path: z.strictObject({ endpoint_id: endpointIdSchema }) },
  async ({ caller, path }) => ({
    status: 200,
    body: await deleteEndpoint(worldFromEnvironment(), { caller, ...path }),
  }),
);
