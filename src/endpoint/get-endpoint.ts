/** Reads one endpoint. */
import { Conflict, NotFound } from '../errors.ts';
import type { World } from '../world.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import type { EndpointSettings } from './endpoint-settings.ts';
import { readRow } from './read-row.ts';

/** Strongly consistent. null: there is none. */
export const findEndpoint = async (world: World, endpoint_id: string): Promise<Endpoint | null> => {
  const row = await readRow(world, endpoint_id);
  return row === undefined ? null : parseEndpoint(row);
};

/** @throws NotFound */
export const getEndpoint = async (world: World, endpoint_id: string): Promise<Endpoint> => {
  const endpoint = await findEndpoint(world, endpoint_id);
  if (endpoint === null) throw new NotFound(`there is no endpoint ${endpoint_id}`, 'endpoint_id');
  return endpoint;
};

/** The endpoint as one that can be renewed. @throws Conflict for a row that somebody edited to nonsense */
export const whole = (endpoint: Endpoint): Endpoint & EndpointSettings => {
  const { endpoint_id, invalid, names, host, port, policy_id, validate_from, deployer } = endpoint;
  if (
    invalid.length > 0 ||
    names === undefined ||
    host === undefined ||
    port === undefined ||
    policy_id === undefined ||
    validate_from === undefined ||
    deployer === undefined
  )
    throw new Conflict(`the record of ${endpoint_id} is invalid: ${invalid.join(', ')}; put it again`, 'endpoint_id');
  return { ...endpoint, names, host, port, policy_id, validate_from, deployer };
};
