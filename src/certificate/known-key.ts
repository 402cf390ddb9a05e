/** What `controls` knows of a public key: it belongs to one principal, and a compromised one is never accepted again. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import type { Change } from '../aws/change.ts';
import { queryAll } from '../aws/query-all.ts';
import type { Step } from '../aws/transact.ts';
import { type Row, unchanged } from '../aws/unchanged.ts';
import { InvalidInput } from '../errors.ts';
import { certificateIndexes, controlKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import type { Certificate } from './certificate.ts';

const rowSchema = z.object({
  principal_id: z.string().optional().catch(undefined),
  compromised: z.unknown().optional(),
});

/**
 * Refuses a key that is compromised or another principal's. Certificates that a break-glass edit revoked for
 * key_compromise count as well, though no row of the key says so. Answers the key's row. @throws InvalidInput on `csr`
 */
export const checkKnownKey = async (
  world: World,
  public_key_sha256: string,
  principal_id: string,
): Promise<Row | undefined> => {
  const [{ Item }, revoked] = await Promise.all([
    world.documents.send(
      new GetCommand({
        TableName: tableName(world.deployment, 'controls'),
        Key: { control_id: controlKeys.key(public_key_sha256) },
        ConsistentRead: true,
      }),
    ),
    hasCompromisedCertificate(world, public_key_sha256),
  ]);
  const row = rowSchema.optional().parse(Item);
  if (row?.compromised !== undefined || revoked) throw compromised();
  if (row !== undefined && row.principal_id !== principal_id)
    throw new InvalidInput('csr', 'public key belongs to another principal; make a new key');
  return Item;
};

const compromised = (): InvalidInput =>
  new InvalidInput('csr', 'public key was revoked for key_compromise; make a new key');

const keyCompromise = {
  expression: 'revocation_reason = :compromise AND revoked <> :false',
  values: { ':compromise': 'key_compromise', ':false': false },
};

/**
 * That none of the certificates with the key is revoked for key_compromise: the index that `checkKnownKey` reads may
 * be behind a break-glass edit, or the edit may come after it. @throws InvalidInput on `csr` when one is already
 */
export const keyStands = (world: World, certificates: readonly Certificate[]): Step[] => {
  if (certificates.some(({ revoked, revocation_reason }) => revoked && revocation_reason === 'key_compromise'))
    throw compromised();
  return certificates.map(({ serial_number }) => ({
    item: {
      ConditionCheck: {
        TableName: tableName(world.deployment, 'certificates'),
        Key: { serial_number },
        ConditionExpression: `NOT (${keyCompromise.expression})`,
        ExpressionAttributeValues: keyCompromise.values,
      },
    },
    otherwise: 'again',
  }));
};

const hasCompromisedCertificate = async (world: World, public_key_sha256: string): Promise<boolean> => {
  const found = await queryAll(world, {
    TableName: tableName(world.deployment, 'certificates'),
    IndexName: certificateIndexes.byPublicKey,
    KeyConditionExpression: 'public_key_sha256 = :key',
    FilterExpression: keyCompromise.expression,
    ExpressionAttributeValues: { ':key': public_key_sha256, ...keyCompromise.values },
  });
  return found.length > 0;
};

/** Makes the key the principal's, or that it is already; fails when it is another's or compromised by then. */
export const claimKey = (
  world: World,
  row: Row | undefined,
  { public_key_sha256, principal_id }: { public_key_sha256: string; principal_id: string },
): Step =>
  row === undefined
    ? {
        table: 'controls',
        key: controlKeys.key(public_key_sha256),
        row,
        action: 'public_key_claimed',
        set: { principal_id },
      }
    : {
        item: {
          ConditionCheck: {
            TableName: tableName(world.deployment, 'controls'),
            Key: { control_id: controlKeys.key(public_key_sha256) },
            ConditionExpression: 'principal_id = :principal AND attribute_not_exists(compromised)',
            ExpressionAttributeValues: { ':principal': principal_id },
          },
        },
        otherwise: 'again',
      };

/** Bars the key for ever; it stays whose it is, or becomes the principal's. */
export const compromiseKey = (row: Row | undefined, public_key_sha256: string, principal_id: string): Change => ({
  table: 'controls',
  key: controlKeys.key(public_key_sha256),
  row,
  action: 'public_key_barred',
  set: { compromised: true, ...(row?.principal_id === undefined ? { principal_id } : {}) },
  condition: unchanged(row ?? {}, ['principal_id']),
});
