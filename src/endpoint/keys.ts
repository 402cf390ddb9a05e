/** Keys, listings and indexes of the endpoints table, which holds policies, fleets, tokens and agents as well. */

/** Keys of the rows that are no endpoint, which has its plain id; those with a star are the patterns that grants name. */
export const endpointKeys = {
  policy: (policy_id: string): string => `policy#${policy_id}`,
  policies: 'policy#*',
  fleet: (fleet_id: string): string => `fleet#${fleet_id}`,
  fleets: 'fleet#*',
  /** SHA-256 of the token, lower-case hex. */
  token: (token_id: string): string => `token#${token_id}`,
  tokens: 'token#*',
  /** The agent's principal id. */
  agent: (agent_id: string): string => `agent#${agent_id}`,
  agents: 'agent#*',
} as const;

/** Each has the table's own key as its sort key or, by expiry, `expires_at`; they hold keys only. */
export const endpointIndexes = {
  /** `listing` */
  byListing: 'by_listing',
  /** `expiry_bucket`, `expires_at`: endpoints by the end of their current certificate. */
  byExpiry: 'by_expiry',
  /** `fleet_id`: endpoints alone have it. */
  byFleet: 'by_fleet',
  /** `policy_id`: endpoints alone have it. */
  byPolicy: 'by_policy',
} as const;

/** What a row's `listing` says: what it is listed among. */
export const listings = {
  endpoints: 'endpoint',
  policies: 'policy',
  fleets: 'fleet',
  agents: 'agent',
  tokensOf: (fleet_id: string): string => `token#${fleet_id}`,
} as const;
