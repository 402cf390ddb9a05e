/** Whether an endpoint can be what a request says: its names, its policy, its fleet, its agent, and where it is dialled. */
import { z } from 'zod';
import type { Check } from '../aws/transact.ts';
import { InvalidInput } from '../errors.ts';
import { endpointKeys, tableName } from '../names.ts';
import { findPrincipal } from '../principal/get-principal.ts';
import { mayDial } from '../renewal/address.ts';
import type { CalendarWarning } from '../renewal/calendar.ts';
import { isAddress } from '../renewal/names.ts';
import type { World } from '../world.ts';
import type { EndpointSettings } from './endpoint-settings.ts';
import type { EndpointWorld } from './endpoint-world.ts';
import { findFleet } from './get-fleet.ts';
import { coversEndpoint } from './ids.ts';
import { policyFor } from './policy-for.ts';

type Named = EndpointSettings & { readonly endpoint_id: string };

export interface CheckedEndpoint {
  readonly warnings: readonly CalendarWarning[];
  /** That what was read of others still stands. */
  readonly steps: readonly Check[];
}

/** @throws InvalidInput naming the field */
export const checkEndpoint = async (world: EndpointWorld, endpoint: Named): Promise<CheckedEndpoint> => {
  refusePrivateHost(world, endpoint);
  const [{ preset, warnings }, fleet] = await Promise.all([
    policyFor(world, endpoint),
    checkFleet(world, endpoint),
    checkAgent(world, endpoint),
  ]);
  return { warnings, steps: [...(preset ? [] : [stands(world, endpointKeys.policy(endpoint.policy_id))]), ...fleet] };
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
