/** Why something is done to a principal: a line that the gate tells word for word. */
import { z } from 'zod';
import { clean } from '../access/reason.ts';

/** Trimmed, 1 to 256 characters, none that the gate would blank. */
export const reasonSchema = z
  .string()
  .trim()
  .min(1, 'must not be empty')
  .max(256, 'must be at most 256 characters')
  .refine((reason) => clean(reason) === reason, 'must not contain control characters');
