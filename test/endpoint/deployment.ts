/** A deployment of its own in the shared emulator: people who may change endpoints, and rows as others leave them. */
import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Caller } from '../../src/access/caller.ts';
import type { EndpointWorld } from '../../src/endpoint/endpoint-world.ts';
import { tableName } from '../../src/names.ts';
import type { PrincipalType } from '../../src/principal/principal.ts';
import { parseReachable } from '../../src/renewal/address.ts';
import { makeDeployment as makeTables } from '../certificate/deployment.ts';
import type { TestEmulator } from '../emulator.ts';

export const makeDeployment = async (emulator: TestEmulator) => {
  const d = await makeTables(emulator);
  const TableName = tableName(d.world.deployment, 'endpoints');
  const world: EndpointWorld = { ...d.world, domain: 'api.airunner.example', reachable: parseReachable('10.0.0.0/8') };
  const { documents } = world;

  const row = async (endpoint_id: string) =>
    (await documents.send(new GetCommand({ TableName, Key: { endpoint_id }, ConsistentRead: true }))).Item;
  const put = (endpoint_id: string, item: Record<string, unknown>) =>
    documents.send(new PutCommand({ TableName, Item: { ...item, endpoint_id } }));
  const remove = (endpoint_id: string) => documents.send(new DeleteCommand({ TableName, Key: { endpoint_id } }));
  /** As a renewal, or a break-glass edit, writes into a row. */
  const edit = (endpoint_id: string, values: Record<string, unknown>) => {
    const fields = Object.entries(values);
    return documents.send(
      new UpdateCommand({
        TableName,
        Key: { endpoint_id },
        UpdateExpression: `SET ${fields.map((_, i) => `#n${i} = :v${i}`).join(', ')}`,
        ExpressionAttributeNames: Object.fromEntries(fields.map(([name], i) => [`#n${i}`, name])),
        ExpressionAttributeValues: Object.fromEntries(fields.map(([, value], i) => [`:v${i}`, value])),
      }),
    );
  };
  /** An agent's principal, as enrolment makes it. */
  const enrolAgent = (principal_id: string, fleet_id: string, type: PrincipalType = 'worker') =>
    d.put('principals', { principal_id, type, status: 'active', created_at: 1, fleet_id });
  const suspend = (caller: Caller) => d.edit('principals', caller.principal_id, { status: 'suspended' });
  return { ...d, world, people: d, row, put, remove, edit, enrolAgent, suspend };
};
export type TestDeployment = Awaited<ReturnType<typeof makeDeployment>>;
