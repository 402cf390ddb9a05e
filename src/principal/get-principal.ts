/** Reads one principal. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { NotFound } from '../errors.ts';
import { tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type Principal, parsePrincipal } from './principal.ts';

/** Strongly consistent. null: there is no such row. */
export const findPrincipal = async (world: World, principal_id: string): Promise<Principal | null> => {
  const { Item } = await world.documents.send(
    new GetCommand({
      TableName: tableName(world.deployment, 'principals'),
      Key: { principal_id },
      ConsistentRead: true,
    }),
  );
  return Item === undefined ? null : parsePrincipal(Item);
};

/** @throws NotFound */
export const getPrincipal = async (world: World, principal_id: string): Promise<Principal> => {
  const principal = await findPrincipal(world, principal_id);
  if (principal === null) throw new NotFound(`there is no principal ${principal_id}`, 'principal_id');
  return principal;
};
