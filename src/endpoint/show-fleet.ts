/** A fleet with its enrolment tokens, for whoever looks at it. */
import type { World } from '../world.ts';
import { tokensOf } from './find-tokens.ts';
import { type FleetView, viewFleet } from './fleet.ts';
import { getFleet } from './get-fleet.ts';
import { type TokenView, viewToken } from './token.ts';

export interface ShownFleet extends FleetView {
  /** Those that let a node in, or will when the fleet is open. */
  readonly tokens: readonly TokenView[];
}

/** @throws NotFound */
export const showFleet = async (world: World, fleet_id: string): Promise<ShownFleet> => {
  const fleet = await getFleet(world, fleet_id);
  const now = world.now();
  const tokens = (await tokensOf(world, fleet_id)).map((token) => viewToken(token, fleet, now));
  return { ...viewFleet(fleet), tokens: tokens.filter(({ status }) => status === 'open' || status === 'closed') };
};
