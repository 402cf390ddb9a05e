/** A fleet: the nodes that enrol under one name, and the endpoints that their agents may own. */

import { z } from 'zod';
import type { Row } from '../aws/unchanged.ts';
import { endpointKeys } from '../names.ts';
import { endpointPatternsSchema } from './ids.ts';

const pollMessage = 'must be 10 to 86400 seconds';
const usualPoll_seconds = 900;
const pollSchema = z.number(pollMessage).int(pollMessage).min(10, pollMessage).max(86_400, pollMessage);

export const fleetInputSchema = z.strictObject({
  /** Ids of endpoints that its agents may own; `*` stands for anything. */
  endpoint_ids: endpointPatternsSchema,
  /** How long an idle agent waits before it asks again. */
  poll_after_seconds: pollSchema.default(usualPoll_seconds),
  /** Nobody enrols; those that have go on. */
  closed: z.boolean().default(false),
});
export type FleetInput = z.infer<typeof fleetInputSchema>;

/** A fleet as it is read back: one edited to nonsense is closed, and owns nothing. */
export interface Fleet extends FleetInput {
  readonly fleet_id: string;
  /** Milliseconds since the epoch. A token holds for the fleet that was made then, and for no later one of its name. */
  readonly created_at?: number;
  readonly updated_at?: number;
  /** The row as it was read. */
  readonly row: Row;
}

const instant = z.number().int().min(0).max(8.64e15).optional().catch(undefined);
const rowSchema = z.object({
  endpoint_id: z.string(),
  endpoint_ids: endpointPatternsSchema.catch([]),
  poll_after_seconds: pollSchema.catch(usualPoll_seconds),
  closed: z.boolean().catch(true),
  created_at: instant,
  updated_at: instant,
});

/** Reads the row of a fleet. */
export const parseFleet = (item: Row): Fleet => {
  const { endpoint_id, created_at, updated_at, ...fleet } = rowSchema.parse(item);
  return {
    fleet_id: endpoint_id.slice(endpointKeys.fleet('').length),
    ...fleet,
    ...(created_at === undefined ? {} : { created_at }),
    ...(updated_at === undefined ? {} : { updated_at }),
    row: item,
  };
};

/** What the API shows of a fleet. */
export type FleetView = Omit<Fleet, 'row'>;

export const viewFleet = ({ row: _row, ...fleet }: Fleet): FleetView => fleet;
