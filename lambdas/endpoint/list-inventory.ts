/** GET /api/v1/identity/inventory?expiry_within_days=&limit=&next_token= */
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { inventoryQuerySchema, inventoryToken } from '../../src/endpoint/inventory-query.ts';
import { listInventory } from '../../src/endpoint/list-inventory.ts';
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route({ ...takesNothing, query: inventoryQuerySchema }, async ({ query }) => {
  const { expiry_within_days: expiry_within_ms, limit, next_token: after } = query;
  const { next, ...page } = await listInventory(worldFromEnvironment(), { expiry_within_ms, limit, after });
  return {
    status: 200,
    body: { ...page, ...(next === undefined ? {} : { next_token: inventoryToken.write(next) }) },
  };
});
