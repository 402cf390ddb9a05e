/** How a listing of certificates is asked for in a query string. */
import { z } from 'zod';
import { anyCase, limitSchema, pageToken } from '../http/page.ts';
import { principalIdSchema } from '../principal/principal.ts';
import { certificateStatuses } from './certificate.ts';
import { day_ms, longestLifetime_days } from './lifetime.ts';
import { tokenPlaceSchema } from './list-certificates.ts';

/** `30d` or `24h`, at most the longest lifetime there is; in ms. */
export const withinSchema = z
  .string()
  .regex(/^\d{1,5}[dh]$/, 'must be a number of days or hours, like 30d or 24h')
  .transform((text) => Number.parseInt(text, 10) * (text.endsWith('d') ? day_ms : day_ms / 24))
  .refine(
    (ms) => ms > 0 && ms <= longestLifetime_days * day_ms,
    `must be more than 0 and at most ${longestLifetime_days}d`,
  );

export const certificatesToken = pageToken('certificates', tokenPlaceSchema);

export const certificatesQuerySchema = z.strictObject({
  principal_id: principalIdSchema.optional(),
  expiring_within: withinSchema.optional(),
  status: anyCase(certificateStatuses).optional(),
  limit: limitSchema({ most: 1_000, usual: 100 }),
  next_token: certificatesToken.schema.optional(),
});
