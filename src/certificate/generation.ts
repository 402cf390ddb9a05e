/** The current generation: certificates of an earlier one are revoked by an emergency, unless exempt. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { Unavailable } from '../errors.ts';
import { controlKeys, generationCopies, tableName } from '../names.ts';
import type { World } from '../world.ts';

export interface Generation {
  readonly generation: number;
  /** Why earlier certificates are refused; absent before the first emergency. */
  readonly reason?: string;
  readonly exempt_serials: ReadonlySet<string>;
}

const rowSchema = z.object({
  generation: z.number().int().min(0),
  reason: z.string().optional().catch(undefined),
  exempt_serials: z.set(z.string()).optional(),
});

/** One of the copies, read strongly consistently. @throws Unavailable where the gate would answer 503: none, or malformed. */
export const readGeneration = async (world: World): Promise<Generation> => {
  const copy = (world.randomBytes(1)[0] ?? 0) % generationCopies;
  const { Item } = await world.documents.send(
    new GetCommand({
      TableName: tableName(world.deployment, 'controls'),
      Key: { control_id: controlKeys.generation(copy) },
      ConsistentRead: true,
    }),
  );
  const row = rowSchema.safeParse(Item).data;
  if (row === undefined) throw new Unavailable('the generation cannot be read');
  return {
    generation: row.generation,
    ...(row.reason === undefined ? {} : { reason: row.reason }),
    exempt_serials: row.exempt_serials ?? new Set(),
  };
};
