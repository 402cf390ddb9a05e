/** Custom resource: the root, the first truststore and generation 0, before the domain is made. */
import { functionAuthor } from '../../src/audit/author.ts';
import { prepareAuthority, unprepareAuthority } from '../../src/authority/prepare.ts';
import { customResource } from '../../src/aws/custom-resource.ts';
import { preparationWorld } from '../../src/aws/truststore-world.ts';

export const handler = customResource(async ({ RequestType, StackId }, context) => {
  const world = preparationWorld(StackId, () => context.getRemainingTimeInMillis());
  const author = functionAuthor('prepare-authority', context);
  if (RequestType === 'Create') await prepareAuthority(world, author);
  // An update, and the rollback of one, find everything made and possibly rotated since.
  if (RequestType === 'Delete') await unprepareAuthority(world, author);
});
