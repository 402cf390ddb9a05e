/** Lists fleets, a page at a time, by their ids. */
import { endpointKeys, listings } from '../names.ts';
import type { World } from '../world.ts';
import { type Fleet, parseFleet } from './fleet.ts';
import { listRows } from './list-rows.ts';

/** `next` is the last id when there are more. */
export const listFleets = async (
  world: World,
  { limit, after }: { readonly limit: number; readonly after?: string | undefined },
): Promise<{ fleets: Fleet[]; next?: string }> => {
  const query = { listing: listings.fleets, limit, after: after && endpointKeys.fleet(after) };
  const { rows, next } = await listRows(world, query);
  return {
    fleets: rows.map(parseFleet),
    ...(next === undefined ? {} : { next: next.slice(endpointKeys.fleet('').length) }),
  };
};
