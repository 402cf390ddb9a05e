/** GET /api/v1/identity/audit?action=&since=&actor=&subject=&limit=&next_token= */
import { z } from 'zod';
import { actionSchema, subjectSchema } from '../../src/audit/filters.ts';
import { listEntries } from '../../src/audit/list-entries.ts';
import { sinceSchema, sinceTime } from '../../src/audit/since.ts';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { limitSchema, pageToken } from '../../src/http/page.ts';
import { route, takesNothing } from '../../src/http/route.ts';

const token = pageToken(
  'audit',
  z
    .number()
    .min(1 - Number.MAX_SAFE_INTEGER)
    .max(Number.MAX_SAFE_INTEGER),
);
const word = z.string().min(1, 'must not be empty').max(512, 'must be at most 512 characters');
const query = z.strictObject({
  action: actionSchema.optional(),
  actor: word.optional(),
  subject: subjectSchema.optional(),
  since: sinceSchema.optional(),
  limit: limitSchema({ most: 200, usual: 50 }),
  next_token: token.schema.optional(),
});

export const handler = route({ ...takesNothing, query }, async ({ query: { next_token, since, ...filter } }) => {
  const world = worldFromEnvironment();
  const { entries, next } = await listEntries(world, {
    ...filter,
    since: since === undefined ? undefined : sinceTime(since, world.now()),
    after: next_token,
  });
  return { status: 200, body: { entries, ...(next === undefined ? {} : { next_token: token.write(next) }) } };
});
