/** A deployment of its own in the shared emulator: tables, a world, and rows as the product writes them. */
import { randomBytes } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { documentClient } from '../../src/aws/world.ts';
import { controlKeys, generationCopies, type Table, tableName } from '../../src/names.ts';
import type { PrincipalType } from '../../src/principal/principal.ts';
import type { World } from '../../src/world.ts';
import type { TestEmulator } from '../emulator.ts';
import { testStampKey } from '../stamps.ts';
import { createTables } from '../tables.ts';

const keys = { principals: 'principal_id', certificates: 'serial_number', controls: 'control_id' } as const;

export const makeDeployment = async (emulator: TestEmulator) => {
  const deployment = { name: `t${randomBytes(5).toString('hex')}`, environment: 'dev' };
  const client = emulator.client(DynamoDBClient);
  await createTables(client, deployment);
  const world: World = {
    deployment,
    now: Date.now,
    randomBytes: (size) => randomBytes(size),
    documents: documentClient(client),
    stampKey: async () => testStampKey,
  };
  const put = (table: Table, Item: Record<string, unknown>) =>
    world.documents.send(new PutCommand({ TableName: tableName(deployment, table), Item }));
  const row = async (table: keyof typeof keys, id: string) =>
    (
      await world.documents.send(
        new GetCommand({ TableName: tableName(deployment, table), Key: { [keys[table]]: id }, ConsistentRead: true }),
      )
    ).Item;

  for (let copy = 0; copy < generationCopies; copy += 1)
    await put('controls', { control_id: controlKeys.generation(copy), generation: 0 });

  /** A principal with one live certificate, as the gate would hand it on. */
  const enrol = async (principal_id: string, type: PrincipalType) => {
    const serial_number = `01${randomBytes(8).toString('hex')}`;
    const certificate = { principal_id, fingerprint: 'f', revoked: false, generation: 0, expires_at: Date.now() + 1e7 };
    await put('certificates', { serial_number, ...certificate });
    await put('principals', { principal_id, type, status: 'active', created_at: 1, live_serials: [serial_number] });
    return { principal_id, principal_type: type, serial_number, generation: 0, request_id: `request-${principal_id}` };
  };
  const setAdmins = (...ids: string[]) =>
    put('controls', { control_id: 'admins', ...(ids.length ? { principal_ids: new Set(ids) } : {}) });
  return { world, deployment, put, row, enrol, setAdmins };
};
