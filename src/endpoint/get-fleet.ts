/** Reads one fleet. */

import { NotFound } from '../errors.ts';
import { endpointKeys } from '../names.ts';
import type { World } from '../world.ts';
import { type Fleet, parseFleet } from './fleet.ts';
import { readRow } from './read-row.ts';

/** Strongly consistent. null: there is none. */
export const findFleet = async (world: World, fleet_id: string): Promise<Fleet | null> => {
  const row = await readRow(world, endpointKeys.fleet(fleet_id));
  return row === undefined ? null : parseFleet(row);
};

/** @throws NotFound */
export const getFleet = async (world: World, fleet_id: string): Promise<Fleet> => {
  const fleet = await findFleet(world, fleet_id);
  if (fleet === null) throw new NotFound(`there is no fleet ${fleet_id}`, 'fleet_id');
  return fleet;
};
