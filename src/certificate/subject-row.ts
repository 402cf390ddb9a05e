/** The subject's row in an issuing transaction: what it must still be, and what is written into it. */
import { enlistAdmin } from '../access/usable-admins.ts';
import type { Step } from '../aws/transact.ts';
import { unchanged } from '../aws/unchanged.ts';
import { Conflict, NotFound } from '../errors.ts';
import { tableName } from '../names.ts';
import type { Principal, PrincipalType } from '../principal/principal.ts';
import type { World } from '../world.ts';
import type { Serials } from './issue.ts';

/** Whether a certificate was issued or revoked for key_compromise since the row was read. */
const version = ['certificates_version'];
const serialsWritten = 'live_serials = :live, certificates_version = :next';

/** An existing, active principal of a known type. @throws NotFound, Conflict */
export const admitActive =
  (principal_id: string) =>
  (subject: Principal | null): PrincipalType => {
    if (subject === null) throw new NotFound(`there is no principal ${principal_id}`, 'principal_id');
    if (subject.status !== 'active' || subject.type === null)
      throw new Conflict(`principal ${principal_id} is suspended; activate it first`, 'principal_id');
    return subject.type;
  };

export const writeActive =
  (world: World, principal_id: string) =>
  (subject: Principal | null, serials: Serials): Step[] => {
    const { expression, names, values } = unchanged(subject?.row ?? {}, ['status', 'type', ...version]);
    return [
      {
        item: {
          Update: {
            TableName: tableName(world.deployment, 'principals'),
            Key: { principal_id },
            UpdateExpression: `SET ${serialsWritten}`,
            ConditionExpression: `attribute_exists(principal_id) AND ${expression}`,
            ExpressionAttributeNames: names,
            ExpressionAttributeValues: { ...values, ...serialValues(serials) },
          },
        },
        otherwise: 'again',
      },
    ];
  };

/** An admin, or nobody yet: `bootstrap` makes it one. @throws Conflict */
export const admitAdmin =
  (principal_id: string) =>
  (subject: Principal | null): PrincipalType => {
    if (subject !== null && subject.type !== 'admin')
      throw new Conflict(
        `there is a principal ${principal_id} already that is no admin; ids are never reused`,
        'principal_id',
      );
    return 'admin';
  };

/** Also activates it, and enters it into the list of admins. */
export const writeAdmin =
  (world: World, principal_id: string) =>
  (subject: Principal | null, serials: Serials): Step[] => {
    const { expression, names, values } = unchanged(subject?.row ?? {}, version);
    return [
      {
        item: {
          Update: {
            TableName: tableName(world.deployment, 'principals'),
            Key: { principal_id },
            UpdateExpression: `SET #status = :active, #type = :type, created_at = if_not_exists(created_at, :now), ${serialsWritten} REMOVE suspended_at, suspended_reason, suspension`,
            ConditionExpression:
              subject === null
                ? `attribute_not_exists(principal_id) AND ${expression}`
                : `#type = :type AND ${expression}`,
            ExpressionAttributeNames: { ...names, '#status': 'status', '#type': 'type' },
            ExpressionAttributeValues: {
              ':active': 'active',
              ':type': 'admin',
              ':now': world.now(),
              ...values,
              ...serialValues(serials),
            },
          },
        },
        otherwise: 'again',
      },
      enlistAdmin(world, principal_id),
    ];
  };

const serialValues = ({ live_serials, certificates_version }: Serials) => ({
  ':live': live_serials,
  ':next': certificates_version,
});
