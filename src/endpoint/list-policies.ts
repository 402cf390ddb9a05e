/** Lists policies and presets, a page at a time, by their ids. */
import { endpointKeys, listings } from '../names.ts';
import { presetNames } from '../renewal/presets.ts';
import type { World } from '../world.ts';
import { listRows } from './list-rows.ts';
import { asPreset, parsePolicy, type StoredPolicy } from './policy.ts';

/** `next` is the last id when there are more. */
export const listPolicies = async (
  world: World,
  { limit, after }: { readonly limit: number; readonly after?: string | undefined },
): Promise<{ policies: StoredPolicy[]; next?: string }> => {
  const query = { listing: listings.policies, limit, after: after && endpointKeys.policy(after) };
  const { rows, next: more } = await listRows(world, query);
  const presets = presetNames
    .filter((name) => after === undefined || name > after)
    .map(asPreset)
    .filter((preset) => preset !== undefined);
  const all = [...presets, ...rows.map(parsePolicy)].sort((a, b) => (a.policy_id < b.policy_id ? -1 : 1));
  const policies = all.slice(0, limit);
  const next = all.length > limit || more !== undefined ? policies.at(-1)?.policy_id : undefined;
  return { policies, ...(next === undefined ? {} : { next }) };
};
