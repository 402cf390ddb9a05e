/** The chain's end as a signed head has it, with a frontier that leads to the root that was signed. */
import { beginning, followPage, followPlaces } from './follow.ts';
import type { SignedHead } from './head.ts';
import type { Position } from './position.ts';
import { readFrontier } from './read-frontier.ts';
import { rootOf } from './tree.ts';
import type { AuditWorld } from './world.ts';

/** Pages of 1 MB at most that one call spends on reading the chain anew; the next one goes on where it ended. */
const mostPages = 50;

/**
 * From the nodes that rows hold, or, where these do not lead to the root, from all entries: their links lead to the hash
 * that was signed, or their tree to the root. Where neither does, the frontier is what rows say, and unproven.
 */
export const provenPosition = async (world: AuditWorld, head: SignedHead): Promise<Position> => {
  const { size, hash, root } = head;
  const { frontier, appended_at } = await readFrontier(world, size, hash);
  const position = { size, hash, appended_at: appended_at ?? head.signed_at };
  if (rootOf(frontier) === root) return { ...position, frontier };
  world.alarm('entries are missing, or not as they were signed', { size });
  const rebuilt = await rebuild(world, size);
  if (rebuilt === null) return { ...position, frontier, isUnproven: true };
  const isProven = rootOf(rebuilt.frontier) === root || (rebuilt.isUnproven === undefined && rebuilt.hash === hash);
  return { ...position, frontier: rebuilt.frontier, ...(isProven ? {} : { isUnproven: true }) };
};

/** What the first `size` entries lead to, unproven where their links do not; null where this call did not get so far. */
const rebuild = async (world: AuditWorld, size: number): Promise<Position | null> => {
  const { memory } = world;
  const known = memory.rebuilt;
  let position = known !== undefined && known.size < size ? known : beginning;
  for (let pages = 0; position.size < size; pages += 1) {
    if (pages === mostPages) {
      memory.rebuilt = position;
      return null;
    }
    const page = await followPage(world, position, size);
    ({ position } = page);
    if (position.size === size || page.more) continue;
    const places = await followPlaces(world, position, size);
    position = { ...places.position, ...(places.isLinked ? {} : { isUnproven: true }) };
  }
  delete memory.rebuilt;
  return position;
};
