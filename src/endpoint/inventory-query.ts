/** How the inventory is asked for in a query string. */
import { z } from 'zod';
import { day_ms, longestLifetime_days } from '../certificate/lifetime.ts';
import { limitSchema, pageToken } from '../http/page.ts';
import { principalIdSchema } from '../principal/principal.ts';
import { endpointIdSchema } from './ids.ts';
import type { InventoryPlace } from './list-inventory.ts';

const message = `must be a whole number of days, 0 to ${longestLifetime_days}`;
const withinSchema = z
  .string()
  .regex(/^\d{1,3}$/, message)
  .transform(Number)
  .refine((days) => days <= longestLifetime_days, message)
  .transform((days) => days * day_ms);

const instant = z.number().int().min(0).max(8.64e15);
const placeSchema: z.ZodType<InventoryPlace> = z.union([
  z.strictObject({ endpoint_id: endpointIdSchema, expires_at: instant }),
  z.strictObject({ endpoint_id: endpointIdSchema }),
  z.strictObject({ agent_id: z.union([z.literal(''), principalIdSchema]) }),
]);

export const inventoryToken = pageToken('inventory', placeSchema);

export const inventoryQuerySchema = z.strictObject({
  expiry_within_days: withinSchema.optional(),
  limit: limitSchema({ most: 500, usual: 100 }),
  next_token: inventoryToken.schema.optional(),
});
