/** Reads one principal. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import type { Caller } from '../access/caller.ts';
import { mustReach, type Reach } from '../access/roles.ts';
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

/**
 * The principal as a caller may see it. `self` is decided by id alone and before reading, so that a refusal does not
 * tell whether another principal exists. @throws NotAllowed, NotFound
 */
export const showPrincipal = async (
  world: World,
  { caller, reach, principal_id }: { caller: Caller; reach: Reach; principal_id: string },
): Promise<Principal> => {
  if (reach === 'self') mustReach(reach, caller, { principal_id, type: null });
  const principal = await getPrincipal(world, principal_id);
  mustReach(reach, caller, principal);
  return principal;
};
