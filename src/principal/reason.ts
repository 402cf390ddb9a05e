/** Why something is done to a principal: a line that a 401 and a log can carry. */
import { z } from 'zod';

/** Trimmed, 1 to 256 characters, no control characters, no broken surrogates. */
export const reasonSchema = z
  .string()
  .trim()
  .min(1, 'must not be empty')
  .max(256, 'must be at most 256 characters')
  .refine((reason) => !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(reason), 'must not contain control characters');
