/** An agent as its heartbeats leave it: bookkeeping, and only as true as what the agent says. */

import { z } from 'zod';
import type { Row } from '../aws/unchanged.ts';
import { endpointKeys } from '../names.ts';

/** What an agent said that it has deployed at an endpoint. */
const deployedSchema = z.object({
  endpoint_id: z.string(),
  /** SHA-256 of the DER, lower-case hex; null: nothing. */
  fingerprint: z.string().nullable(),
  /** Milliseconds since the epoch. */
  not_after: z.number().nullable(),
});

export interface Agent {
  readonly agent_id: string;
  readonly fleet_id?: string;
  /** Milliseconds since the epoch. */
  readonly last_heartbeat_at?: number;
  /** Of the program. */
  readonly version?: string;
  readonly endpoints: readonly z.infer<typeof deployedSchema>[];
}

const text = z.string().optional().catch(undefined);
const rowSchema = z.object({
  endpoint_id: z.string(),
  fleet: text,
  last_heartbeat_at: z.number().int().min(0).max(8.64e15).optional().catch(undefined),
  version: text,
  endpoints: z.array(deployedSchema).catch([]),
});

/** Reads the row of an agent; what it lacks, or has of a wrong shape, is absent. */
export const parseAgent = (item: Row): Agent => {
  const { endpoint_id, fleet, last_heartbeat_at, version, endpoints } = rowSchema.parse(item);
  return {
    agent_id: endpoint_id.slice(endpointKeys.agent('').length),
    ...(fleet === undefined ? {} : { fleet_id: fleet }),
    ...(last_heartbeat_at === undefined ? {} : { last_heartbeat_at }),
    ...(version === undefined ? {} : { version }),
    endpoints,
  };
};
