/** The world of whoever puts an endpoint: the tables, the API's own name, and what functions may dial. */
import { domainSchema } from '../authority/sign-request.ts';
import { worldFromEnvironment } from '../aws/world.ts';
import { parseReachable, type Reachable } from '../renewal/address.ts';
import type { World } from '../world.ts';

export interface EndpointWorld extends World {
  /** The host name of the API itself. */
  readonly domain: string;
  readonly reachable: Reachable;
}

/** DOMAIN_NAME; REACHABLE: hosts, addresses and networks that were named at deployment, commas between. */
export const endpointWorld = (): EndpointWorld => ({
  ...worldFromEnvironment(),
  domain: domainSchema.parse(process.env.DOMAIN_NAME),
  reachable: parseReachable(process.env.REACHABLE ?? ''),
});
