/** Reads one policy, or preset. */

import { NotFound } from '../errors.ts';
import { endpointKeys } from '../names.ts';
import type { World } from '../world.ts';
import { asPreset, parsePolicy, type StoredPolicy } from './policy.ts';
import { readRow } from './read-row.ts';

/** Strongly consistent. null: there is none. */
export const findPolicy = async (world: World, policy_id: string): Promise<StoredPolicy | null> => {
  const preset = asPreset(policy_id);
  if (preset !== undefined) return preset;
  const row = await readRow(world, endpointKeys.policy(policy_id));
  return row === undefined ? null : parsePolicy(row);
};

/** @throws NotFound */
export const getPolicy = async (world: World, policy_id: string): Promise<StoredPolicy> => {
  const policy = await findPolicy(world, policy_id);
  if (policy === null) throw new NotFound(`there is no policy ${policy_id}`, 'policy_id');
  return policy;
};
