/** What `controls` knows of a public key: it belongs to one principal, and a compromised one is never accepted again. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { queryAll } from '../aws/query-all.ts';
import type { Step } from '../aws/transact.ts';
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
 * key_compromise count as well, though no row of the key says so. @throws InvalidInput on `csr`
 */
export const checkKnownKey = async (world: World, public_key_sha256: string, principal_id: string): Promise<void> => {
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

/** Makes the key the principal's, or fails when it is another's or compromised by then. */
export const claimKey = (world: World, public_key_sha256: string, principal_id: string): Step => ({
  item: {
    Update: {
      TableName: tableName(world.deployment, 'controls'),
      Key: { control_id: controlKeys.key(public_key_sha256) },
      UpdateExpression: 'SET principal_id = :principal',
      ConditionExpression:
        'attribute_not_exists(control_id) OR (principal_id = :principal AND attribute_not_exists(compromised))',
      ExpressionAttributeValues: { ':principal': principal_id },
    },
  },
  otherwise: 'again',
});

/** Bars the key for ever. */
export const compromiseKey = (world: World, public_key_sha256: string, principal_id: string): Step => ({
  item: {
    Update: {
      TableName: tableName(world.deployment, 'controls'),
      Key: { control_id: controlKeys.key(public_key_sha256) },
      UpdateExpression: 'SET compromised = :true, principal_id = if_not_exists(principal_id, :principal)',
      ExpressionAttributeValues: { ':true': true, ':principal': principal_id },
    },
  },
  otherwise: 'again',
});
