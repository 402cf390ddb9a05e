/** The policy by which certificates for certain names are issued, if they can be on this day. */
import { InvalidInput } from '../errors.ts';
import type { CalendarWarning } from '../renewal/calendar.ts';
import { coversName, unfit } from '../renewal/names.ts';
import { checkPolicy, type Policy } from '../renewal/policy.ts';
import type { World } from '../world.ts';
import { findPolicy } from './get-policy.ts';

export interface PolicyFor {
  readonly policy: Policy;
  readonly preset: boolean;
  /** What will outlaw it. */
  readonly warnings: readonly CalendarWarning[];
}

/** `domain`: the API's own name. @throws InvalidInput on `policy_id` or `names` */
export const policyFor = async (
  world: World & { readonly domain: string },
  { names, policy_id }: { readonly names: readonly string[]; readonly policy_id: string },
): Promise<PolicyFor> => {
  const found = await findPolicy(world, policy_id);
  if (found === null) throw new InvalidInput('policy_id', `there is no policy ${policy_id}`);
  const { policy, row } = found;
  if (policy === null) throw new InvalidInput('policy_id', `the record of ${policy_id} is invalid; put it again`);
  const why = unfit(names, policy);
  if (why !== null) throw new InvalidInput('policy_id', why);
  if (policy.ca.kind === 'private') refuseOwnName(world.domain, names);
  return { policy, preset: row === undefined, warnings: checkPolicy(policy, world.now(), 'policy_id') };
};

/** Whoever had one for the API's name could pass for the API: clients trust the same CA there. A public CA asks for proof. */
const refuseOwnName = (domain: string, names: readonly string[]): void => {
  const own = names.find((name) => coversName(name, domain));
  if (own !== undefined)
    throw new InvalidInput('names', `${own} is, or covers, the name of this API: the private CA issues nothing for it`);
};
