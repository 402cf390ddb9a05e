/** Custom resource, last of all: deletion protection on; off again only when a first creation is rolled back. */
import { z } from 'zod';
import { assertCreating, customResource, isFirstRollback, readStackStatus } from '../../src/aws/custom-resource.ts';
import { switchDeletionProtection } from '../../src/aws/deletion-protection.ts';

const properties = z.object({ Tables: z.array(z.string()).min(1) });

export const handler = customResource(async ({ RequestType, StackId, ResourceProperties }) => {
  const { Tables } = properties.parse(ResourceProperties);
  if (RequestType === 'Create') await assertCreating(() => readStackStatus(StackId));
  if (RequestType !== 'Delete') await switchDeletionProtection(Tables, 'on');
  else if (isFirstRollback(await readStackStatus(StackId))) await switchDeletionProtection(Tables, 'off');
});
