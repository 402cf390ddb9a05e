/** Whether an endpoint uses a policy or a fleet. */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { endpointIndexes, tableName } from '../names.ts';
import type { World } from '../world.ts';

/**
 * The id of one endpoint that does; undefined: none. The index may be a moment behind: an endpoint that is put just then
 * says at its next renewal that its policy or fleet is gone.
 */
export const findUser = async (
  world: World,
  attribute: 'policy_id' | 'fleet_id',
  id: string,
): Promise<string | undefined> => {
  const { Items = [] } = await world.documents.send(
    new QueryCommand({
      TableName: tableName(world.deployment, 'endpoints'),
      IndexName: attribute === 'policy_id' ? endpointIndexes.byPolicy : endpointIndexes.byFleet,
      KeyConditionExpression: '#attribute = :id',
      ExpressionAttributeNames: { '#attribute': attribute },
      ExpressionAttributeValues: { ':id': id },
      Limit: 1,
    }),
  );
  const [first] = Items;
  return first === undefined ? undefined : String(first.endpoint_id);
};
