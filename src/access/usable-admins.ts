/** Keeps a door open: a change that would leave no admin who can still get in is refused, also when two race. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import type { Change } from '../aws/change.ts';
import type { Row } from '../aws/unchanged.ts';
import { standingOf } from '../certificate/certificate.ts';
import { findCertificates } from '../certificate/find-certificates.ts';
import { readGeneration } from '../certificate/generation.ts';
import { Conflict } from '../errors.ts';
import { controlKeys, tableName } from '../names.ts';
import { parsePrincipal } from '../principal/principal.ts';
import type { World } from '../world.ts';

const adminsRow = z.object({ principal_ids: z.set(z.string()).catch(new Set()) });

/** The row in `controls` that names every principal of type admin; every change to who can get in raises its version. */
const readAdmins = async (world: World): Promise<{ row: Row | undefined; principal_ids: ReadonlySet<string> }> => {
  const { Item } = await world.documents.send(
    new GetCommand({
      TableName: tableName(world.deployment, 'controls'),
      Key: { control_id: controlKeys.admins },
      ConsistentRead: true,
    }),
  );
  return { row: Item, principal_ids: adminsRow.parse(Item ?? {}).principal_ids };
};

const changeAdmins = (row: Row | undefined, action: string, set: Change['set'] = {}): Change => ({
  table: 'controls',
  key: controlKeys.admins,
  row,
  action,
  set,
});

/** Enters a principal into the list of admins. `action`: that of the operation. */
export const enlistAdmin = async (world: World, principal_id: string, action: string): Promise<Change> => {
  const { row, principal_ids } = await readAdmins(world);
  return changeAdmins(row, action, { principal_ids: new Set([...principal_ids, principal_id]) });
};

/** What a change takes away: a principal as a whole, or certificates. */
export interface Removing {
  readonly principal_id?: string;
  readonly serial_numbers?: readonly string[];
}

/** Whether the gate would let one of these principals in as an admin by a certificate that is not being removed. */
const oneGetsIn = async (world: World, ids: readonly string[], removing: Removing): Promise<boolean> => {
  const keys = ids.filter((id) => id !== removing.principal_id).map((principal_id) => ({ principal_id }));
  const rows = await batchGet(world, tableName(world.deployment, 'principals'), keys);
  const admins = rows.map(parsePrincipal).filter(({ type, status }) => type === 'admin' && status === 'active');
  const gone = new Set(removing.serial_numbers);
  const serials = admins.flatMap(({ live_serials }) => live_serials).filter((serial) => !gone.has(serial));
  const [current, certificates] = await Promise.all([readGeneration(world), findCertificates(world, serials)]);
  return certificates.some(
    (certificate) =>
      certificate.fingerprint !== undefined &&
      admins.some(({ principal_id }) => principal_id === certificate.principal_id) &&
      standingOf(certificate, current, world.now()).status === 'active',
  );
};

/**
 * What a change that takes something from an admin adds to its own transaction, so that at least one active admin
 * with a live certificate stays. All such changes raise one version, so of two that race the second fails its
 * condition, reads again and is refused here. With `force` the check is left out, the version still raised.
 * @throws Conflict when no usable admin would be left; Unavailable
 */
export const guardLastAdmin = async (
  world: World,
  { removing, force, action }: { readonly removing: Removing; readonly force: boolean; readonly action: string },
): Promise<Change> => {
  const { row, principal_ids } = await readAdmins(world);
  if (!force && !(await oneGetsIn(world, [...principal_ids], removing)))
    throw new Conflict('no admin who can get in would be left; issue another admin a certificate first, or use force');
  return changeAdmins(row, action);
};
