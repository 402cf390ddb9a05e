/** Whose a public key is, as `controls` knows it. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { controlKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';

const rowSchema = z.object({ principal_id: z.string() });

/** A principal's id; null: nobody's that is known. */
export const findKeyOwner = async (world: World, public_key_sha256: string): Promise<string | null> => {
  const { Item } = await world.documents.send(
    new GetCommand({
      TableName: tableName(world.deployment, 'controls'),
      Key: { control_id: controlKeys.key(public_key_sha256) },
      ConsistentRead: true,
    }),
  );
  return rowSchema.safeParse(Item).data?.principal_id ?? null;
};
