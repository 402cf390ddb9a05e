/** What details tell of a row's values, by attribute: an attribute may have any name. */
import { z } from 'zod';

/** Taken as it is, since zod's own copy of an object goes without `__proto__`; so only names of its own are to be read. */
export const shownValuesSchema = z.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be an object',
);
