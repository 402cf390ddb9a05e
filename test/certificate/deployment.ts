/** A deployment of its own in the shared emulator, with an authority, and the gate's own opinion of its certificates. */
import { randomBytes } from 'node:crypto';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, GetCommand, PutCommand, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import type { Caller } from '../../src/access/caller.ts';
import { parseCertificate as parsePem } from '../../src/access/certificate.ts';
import { type Decision, decide } from '../../src/access/decide.ts';
import { documentClient } from '../../src/aws/world.ts';
import { type Certificate, parseCertificate } from '../../src/certificate/certificate.ts';
import type { Issued, IssuingWorld } from '../../src/certificate/issue.ts';
import { issueCertificate } from '../../src/certificate/issue-certificate.ts';
import { controlKeys, generationCopies, type Table, tableName } from '../../src/names.ts';
import type { PrincipalType } from '../../src/principal/principal.ts';
import { makeAuthority } from '../authority/authority.ts';
import { ecKey, request } from '../authority/requests.ts';
import type { TestEmulator } from '../emulator.ts';
import { testStampKey } from '../stamps.ts';
import { createTables } from '../tables.ts';

const keys = { principals: 'principal_id', certificates: 'serial_number', controls: 'control_id' } as const;
type Kept = keyof typeof keys;

export const newRequest = (): string => request({ privateKey: ecKey() });

export const makeDeployment = async (emulator: TestEmulator) => {
  const deployment = { name: `t${randomBytes(5).toString('hex')}`, environment: 'dev' };
  const client = emulator.client(DynamoDBClient);
  await createTables(client, deployment);
  const authority = await makeAuthority(deployment);
  const world: IssuingWorld = {
    deployment,
    now: Date.now,
    randomBytes: (size) => randomBytes(size),
    documents: documentClient(client),
    stampKey: async () => testStampKey,
    sign: authority.sign,
  };
  const named = (table: Table) => ({ TableName: tableName(deployment, table) });
  const put = (table: Kept, Item: Record<string, unknown>) =>
    world.documents.send(new PutCommand({ ...named(table), Item }));
  const remove = (table: Kept, id: string) =>
    world.documents.send(new DeleteCommand({ ...named(table), Key: { [keys[table]]: id } }));
  const row = async (table: Kept, id: string) =>
    (await world.documents.send(new GetCommand({ ...named(table), Key: { [keys[table]]: id }, ConsistentRead: true })))
      .Item;
  const edit = (table: Kept, id: string, values: Record<string, unknown>) => {
    const fields = Object.entries(values);
    return world.documents.send(
      new UpdateCommand({
        ...named(table),
        Key: { [keys[table]]: id },
        UpdateExpression: `SET ${fields.map((_, i) => `#n${i} = :v${i}`).join(', ')}`,
        ExpressionAttributeNames: Object.fromEntries(fields.map(([name], i) => [`#n${i}`, name])),
        ExpressionAttributeValues: Object.fromEntries(fields.map(([, value], i) => [`:v${i}`, value])),
      }),
    );
  };
  const certificates = async (principal_id?: string): Promise<Certificate[]> => {
    const { Items = [] } = await world.documents.send(
      new ScanCommand({ ...named('certificates'), ConsistentRead: true }),
    );
    const all = Items.map(parseCertificate);
    return principal_id === undefined ? all : all.filter((one) => one.principal_id === principal_id);
  };
  const raiseGeneration = async (generation: number, exempt: readonly string[] = [], reason = 'CA compromise') => {
    for (let copy = 0; copy < generationCopies; copy += 1)
      await put('controls', {
        control_id: controlKeys.generation(copy),
        generation,
        reason,
        ...(exempt.length > 0 ? { exempt_serials: new Set(exempt) } : {}),
      });
  };
  for (let copy = 0; copy < generationCopies; copy += 1)
    await put('controls', { control_id: controlKeys.generation(copy), generation: 0 });

  const raw = async (table: Kept, id: string) =>
    (
      await client.send(
        new GetItemCommand({ ...named(table), Key: { [keys[table]]: { S: id } }, ConsistentRead: true }),
      )
    ).Item;
  /** What the gate answers to a request with this certificate now. */
  const present = async (pem: string, now = Date.now()): Promise<Decision> => {
    const presented = parsePem(pem);
    if (presented === undefined) throw new Error('no certificate');
    const records = {
      principal: await raw('principals', presented.commonName ?? '-'),
      certificate: await raw('certificates', presented.serial_number),
      generation: await raw('controls', controlKeys.generation(0)),
    };
    return decide(deployment, presented, records, now);
  };
  /** Serials of the certificates with which the gate would let the principal in. */
  const usable = async (principal_id: string): Promise<string[]> => {
    const letIn: string[] = [];
    for (const { pem, serial_number } of await certificates(principal_id))
      if (pem !== undefined && (await present(pem)).outcome === 'allow') letIn.push(serial_number);
    return letIn.sort();
  };

  /** A caller as the gate hands it on, its certificate made up. */
  const enrol = async (principal_id: string, type: PrincipalType): Promise<Caller> => {
    const serial_number = `01${randomBytes(8).toString('hex')}`;
    await put('certificates', {
      serial_number,
      principal_id,
      fingerprint: 'f',
      revoked: false,
      generation: 0,
      issued_at: Date.now() - 1,
      expires_at: Date.now() + 1e9,
    });
    await put('principals', { principal_id, type, status: 'active', created_at: 1, live_serials: [serial_number] });
    if (type === 'admin') await put('controls', { control_id: 'admins', principal_ids: new Set([principal_id]) });
    return { principal_id, principal_type: type, serial_number, generation: 0, request_id: `request-${principal_id}` };
  };
  const register = (principal_id: string, type: PrincipalType) =>
    put('principals', { principal_id, type, status: 'active', created_at: 1 });
  const issueTo = (caller: Caller, principal_id: string, csr = newRequest()): Promise<Issued> =>
    issueCertificate(world, { caller, reach: 'any', principal_id, csr });
  /** The caller that the gate makes of a certificate. */
  const callerWith = async (pem: string): Promise<Caller> => {
    const decision = await present(pem);
    if (decision.outcome !== 'allow') throw new Error(JSON.stringify(decision));
    const { outcome: _outcome, ...caller } = decision;
    return { ...caller, request_id: `request-${caller.principal_id}` };
  };
  const liveSerials = async (principal_id: string): Promise<string[]> =>
    z.array(z.string()).parse((await row('principals', principal_id))?.live_serials ?? []);
  return {
    world,
    put,
    remove,
    row,
    edit,
    certificates,
    raiseGeneration,
    present,
    usable,
    enrol,
    register,
    issueTo,
    callerWith,
    liveSerials,
    root: authority.root,
  };
};
export type TestDeployment = Awaited<ReturnType<typeof makeDeployment>>;
