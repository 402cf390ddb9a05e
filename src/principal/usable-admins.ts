/** Keeps a door open: a change that would leave no admin who can still get in is refused, also when two race. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import type { TransactItem } from '../aws/transact.ts';
import { Conflict } from '../errors.ts';
import { controlKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type Principal, parsePrincipal } from './principal.ts';

const adminsRow = z.object({
  principal_ids: z.set(z.string()).catch(new Set()),
  version: z.number().int().optional().catch(undefined),
});
const generationRow = z.object({
  generation: z.number(),
  exempt_serials: z.set(z.string()).catch(new Set()),
});
const certificateRow = z.object({
  serial_number: z.string(),
  principal_id: z.string(),
  fingerprint: z.string(),
  revoked: z.literal(false),
  expires_at: z.number(),
  generation: z.number(),
});

/** What a change takes away: a principal as a whole, or certificates. */
export interface Removing {
  readonly principal_id?: string;
  readonly serial_numbers?: readonly string[];
}

const readControl = async (world: World, control_id: string): Promise<unknown> => {
  const TableName = tableName(world.deployment, 'controls');
  return (await world.documents.send(new GetCommand({ TableName, Key: { control_id }, ConsistentRead: true }))).Item;
};

/** Whether the principal would still be let in by one of its certificates, those in `without` left out. */
const canGetIn = async (world: World, principal: Principal, without: ReadonlySet<string>): Promise<boolean> => {
  const serials = [...new Set(principal.live_serials)].filter((serial) => !without.has(serial));
  if (serials.length === 0) return false;
  const current = generationRow.safeParse(await readControl(world, controlKeys.generation(0))).data;
  if (current === undefined) return false;
  const keys = serials.map((serial_number) => ({ serial_number }));
  const rows = await batchGet(world, tableName(world.deployment, 'certificates'), keys);
  return rows.some((row) => {
    const certificate = certificateRow.safeParse(row).data;
    return (
      certificate !== undefined &&
      certificate.principal_id === principal.principal_id &&
      certificate.expires_at > world.now() &&
      (certificate.generation >= current.generation || current.exempt_serials.has(certificate.serial_number))
    );
  });
};

/**
 * What a change that takes something from an admin adds to its own transaction, so that at least one active admin
 * with a live certificate stays. All such changes raise one version, so of two that race the second fails its
 * condition, reads again and is refused here. A failed condition of the returned item means: start over.
 * With `force` the check is left out, the version still raised.
 * @throws Conflict when no usable admin would be left.
 */
export const guardLastAdmin = async (
  world: World,
  { removing, force }: { readonly removing: Removing; readonly force: boolean },
): Promise<TransactItem[]> => {
  const admins = adminsRow.safeParse(await readControl(world, controlKeys.admins)).data;
  const update = {
    TableName: tableName(world.deployment, 'controls'),
    Key: { control_id: controlKeys.admins },
    UpdateExpression: 'ADD version :one',
  };
  if (force) return [{ Update: { ...update, ExpressionAttributeValues: { ':one': 1 } } }];

  const keys = [...(admins?.principal_ids ?? [])]
    .filter((principal_id) => principal_id !== removing.principal_id)
    .map((principal_id) => ({ principal_id }));
  const rows = await batchGet(world, tableName(world.deployment, 'principals'), keys);
  const without = new Set(removing.serial_numbers ?? []);
  for (const principal of rows.map(parsePrincipal)) {
    if (principal.type !== 'admin' || principal.status !== 'active') continue;
    if (!(await canGetIn(world, principal, without))) continue;
    return [
      admins?.version === undefined
        ? {
            Update: {
              ...update,
              ConditionExpression: 'attribute_not_exists(version)',
              ExpressionAttributeValues: { ':one': 1 },
            },
          }
        : {
            Update: {
              ...update,
              ConditionExpression: 'version = :read',
              ExpressionAttributeValues: { ':one': 1, ':read': admins.version },
            },
          },
    ];
  }
  throw new Conflict('no admin who can get in would be left; issue another admin a certificate first, or use force');
};
