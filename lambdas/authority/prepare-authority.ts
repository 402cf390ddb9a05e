/** Custom resource: the root, the first truststore and generation 0, before the domain is made. */
import { prepareAuthority, unprepareAuthority } from '../../src/authority/prepare.ts';
import { customResource } from '../../src/aws/custom-resource.ts';
import { preparationWorld } from '../../src/aws/truststore-world.ts';

export const handler = customResource(async ({ RequestType, StackId }, remaining_ms) => {
  const world = preparationWorld(StackId, remaining_ms);
  if (RequestType === 'Create') await prepareAuthority(world);
  // An update, and the rollback of one, find everything made and possibly rotated since.
  if (RequestType === 'Delete') await unprepareAuthority(world);
});
