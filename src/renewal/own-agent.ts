/** The agent that calls: a worker that enrolled into a fleet. */
import { z } from 'zod';
import type { Caller } from '../access/caller.ts';
import { endpointPatternsSchema } from '../endpoint/ids.ts';
import { NotAllowed } from '../errors.ts';
import { findPrincipal } from '../principal/get-principal.ts';
import type { World } from '../world.ts';

/** What enrolment alone writes into a principal's row. */
export const enrolledSchema = z.object({
  fleet_id: z.string(),
  /** Of the fleet that it enrolled into: a later one of the same name is another. */
  fleet_created_at: z.number().optional().catch(undefined),
  /** What it may own, of what its fleet may. */
  endpoint_ids: endpointPatternsSchema.catch([]),
});

export interface OwnAgent extends z.infer<typeof enrolledSchema> {
  readonly agent_id: string;
}

/** @throws NotAllowed for everybody else */
export const ownAgent = async (world: World, { principal_id }: Caller): Promise<OwnAgent> => {
  const principal = await findPrincipal(world, principal_id);
  const enrolled = enrolledSchema.safeParse(principal?.row).data;
  if (principal?.type !== 'worker' || enrolled === undefined)
    throw new NotAllowed(`${principal_id} is no agent: it did not enrol into a fleet`);
  return { agent_id: principal_id, ...enrolled };
};
