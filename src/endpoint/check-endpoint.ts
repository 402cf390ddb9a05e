/** Whether an endpoint can be what a request says: its names, its policy, its fleet, its agent, and where it is dialled. */
import { z } from 'zod';
import type { Check } from '../aws/transact.ts';
import { InvalidInput } from '../errors.ts';
import { tableName } from '../names.ts';
import { findPrincipal } from '../principal/get-principal.ts';
import { mayDial } from '../renewal/address.ts';
import { type CalendarWarning, checkCalendar } from '../renewal/calendar.ts';
import { coversName, isAddress, unfit } from '../renewal/names.ts';
import type { World } from '../world.ts';
import type { EndpointSettings } from './endpoint-settings.ts';
import type { EndpointWorld } from './endpoint-world.ts';
import { findFleet } from './get-fleet.ts';
import { findPolicy } from './get-policy.ts';
import { coversEndpoint } from './ids.ts';
import { endpointKeys } from './keys.ts';

type Named = EndpointSettings & { readonly endpoint_id: string };

export interface CheckedEndpoint {
  readonly warnings: readonly CalendarWarning[];
  /** That what was read of others still stands. */
  readonly steps: readonly Check[];
}

/** @throws InvalidInput naming the field */
export const checkEndpoint = async (world: EndpointWorld, endpoint: Named): Promise<CheckedEndpoint> => {
  refuseOwnName(world, endpoint);
  refusePrivateHost(world, endpoint);
  const [policy, fleet] = await Promise.all([
    checkPolicyOf(world, endpoint),
    checkFleet(world, endpoint),
    checkAgent(world, endpoint),
  ]);
  return { warnings: policy.warnings, steps: [...policy.steps, ...fleet] };
};

/** Whoever had a certificate for the API's name could pass for the API: clients trust the same CA there. */
const refuseOwnName = ({ domain }: EndpointWorld, { names }: Named): void => {
  const own = names.find((name) => coversName(name, domain));
  if (own !== undefined) throw new InvalidInput('names', `${own} is, or covers, the name of this API itself`);
};

/** A name is looked up, and asked about again, when it is dialled. */
const refusePrivateHost = ({ reachable }: EndpointWorld, { host, validate_from }: Named): void => {
  if (validate_from === 'function' && isAddress(host) && !mayDial(reachable, host, host))
    throw new InvalidInput(
      'host',
      `${host} is an address that was not named at deployment; let the agent validate, or name it there`,
    );
};

const stands = (world: World, key: string): Check => ({
  item: {
    ConditionCheck: {
      TableName: tableName(world.deployment, 'endpoints'),
      Key: { endpoint_id: key },
      ConditionExpression: 'attribute_exists(endpoint_id)',
    },
  },
  otherwise: 'again',
});

const checkPolicyOf = async (world: World, { names, policy_id }: Named): Promise<CheckedEndpoint> => {
  const found = await findPolicy(world, policy_id);
  if (found === null) throw new InvalidInput('policy_id', `there is no policy ${policy_id}`);
  const { policy, row } = found;
  if (policy === null) throw new InvalidInput('policy_id', `the record of ${policy_id} is invalid; put it again`);
  const why = unfit(names, policy);
  if (why !== null) throw new InvalidInput('policy_id', why);
  const warnings = policy.ca.kind === 'acme' ? checkCalendar(policy.lifetime_days, world.now(), 'policy_id') : [];
  return { warnings, steps: row === undefined ? [] : [stands(world, endpointKeys.policy(policy_id))] };
};

const checkFleet = async (world: World, { endpoint_id, fleet_id }: Named): Promise<Check[]> => {
  if (fleet_id === undefined) return [];
  const fleet = await findFleet(world, fleet_id);
  if (fleet === null) throw new InvalidInput('fleet_id', `there is no fleet ${fleet_id}`);
  if (!coversEndpoint(fleet.endpoint_ids, endpoint_id))
    throw new InvalidInput('fleet_id', `the fleet ${fleet_id} may not own ${endpoint_id}`);
  return [stands(world, endpointKeys.fleet(fleet_id))];
};

/** `/enroll` alone writes it. */
const enrolledSchema = z.object({ fleet_id: z.string() });

/** What it is never changes. */
const checkAgent = async (world: World, { agent_id, fleet_id }: Named): Promise<void> => {
  if (agent_id === undefined) return;
  const agent = await findPrincipal(world, agent_id);
  const of = enrolledSchema.safeParse(agent?.row).data?.fleet_id;
  if (agent?.type !== 'worker' || of === undefined) throw new InvalidInput('agent_id', `there is no agent ${agent_id}`);
  if (of !== fleet_id) throw new InvalidInput('agent_id', `${agent_id} is no agent of the fleet ${fleet_id}`);
};
