/** The chain's end as a signed head has it, with a frontier that leads to the root that was signed. */
import { beginning, followPage, followPlaces } from './follow.ts';
import type { SignedHead } from './head.ts';
import type { Position } from './position.ts';
import { readFrontier } from './read-frontier.ts';
import { rootOf } from './tree.ts';
import type { AuditWorld } from './world.ts';

/** Requests that one call spends on reading the chain anew; the next one goes on where it ended. */
const mostRequests = 50;

/**
 * From the nodes that rows hold, or, where these do not lead to the root, from all entries. Where those do not either,
 * the frontier is what rows say, and unproven.
 */
export const provenPosition = async (world: AuditWorld, head: SignedHead): Promise<Position> => {
  const { size, hash, root } = head;
  const { frontier, appended_at } = await readFrontier(world, size, hash);
  const position = { size, hash, appended_at: appended_at ?? head.signed_at };
  if (rootOf(frontier) === root) return { ...position, frontier };
  world.alarm('entries are missing, or not as they were signed', { size });
  const rebuilt = await rebuild(world, size);
  if (rebuilt !== null && rootOf(rebuilt.frontier) === root) return { ...position, frontier: rebuilt.frontier };
  return { ...position, frontier, isUnproven: true };
};

/** What the bytes of the first `size` entries lead to; null where this call did not get so far. */
const rebuild = async (world: AuditWorld, size: number): Promise<Position | null> => {
  const { memory } = world;
  const known = memory.rebuilt;
  let position = known !== undefined && known.size < size ? known : beginning;
  for (let requests = 0; position.size < size; requests += 1) {
    if (requests >= mostRequests) {
      memory.rebuilt = position;
      return null;
    }
    const page = await followPage(world, position, size);
    ({ position } = page);
    if (position.size < size && !page.more) ({ position } = await followPlaces(world, position, size));
  }
  delete memory.rebuilt;
  return position;
};
