/** What entries may be asked for by: what no entry can have is refused, since a list without it would say that nothing happened. */
import { z } from 'zod';

const longest = 512;

export const actionSchema = z
  .string()
  .max(longest, `must be at most ${longest} characters`)
  .regex(/^[a-z0-9_]+$/, 'must be an action, of lower-case letters, digits and _, such as out_of_band');

/** An entry's own subjects that are neither a row nor a resource of the account. */
const others: readonly string[] = ['audit', 'unknown'];

export const subjectSchema = z
  .string()
  .max(longest, `must be at most ${longest} characters`)
  .refine(
    (text) => text.includes('/') || text.startsWith('arn:') || others.includes(text),
    'must be a row such as principals/worker-1 or certificates/<serial number>, or an ARN',
  );
