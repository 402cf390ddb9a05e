/** The subject's row in an issuing transaction: what it must still be, and what is written into it. */
import { enlistAdmin } from '../access/usable-admins.ts';
import type { Change } from '../aws/change.ts';
import { unchanged } from '../aws/unchanged.ts';
import { Conflict, NotFound } from '../errors.ts';
import { type Principal, suspensionRecord } from '../principal/principal.ts';
import type { World } from '../world.ts';
import type { Admitted, Serials } from './issue.ts';

/** A break-glass edit touches some of them; an issue or a revocation for key_compromise raises the version. */
const decisive = ['status', 'type', 'certificates_version'];

const addSerials = ({ principal_id, row }: Principal, serials: Serials, action: string): Change => ({
  table: 'principals',
  key: principal_id,
  row,
  action,
  set: { ...serials },
  condition: unchanged(row, decisive),
});

/** An existing, active principal of a known type. `action`: that of the operation. @throws NotFound, Conflict */
export const admitActive =
  (principal_id: string, action: string) =>
  (subject: Principal | null): Admitted => {
    if (subject === null) throw new NotFound(`there is no principal ${principal_id}`, 'principal_id');
    if (subject.status !== 'active' || subject.type === null)
      throw new Conflict(`principal ${principal_id} is suspended; activate it first`, 'principal_id');
    return { type: subject.type, write: (serials) => [addSerials(subject, serials, action)] };
  };

const makeAdmin = (world: World, principal_id: string, serials: Serials): Change => ({
  table: 'principals',
  key: principal_id,
  row: undefined,
  action: 'principal_created',
  set: { status: 'active', type: 'admin', created_at: world.now(), ...serials },
});

const activateAdmin = (world: World, { principal_id, row }: Principal, serials: Serials): Change => ({
  table: 'principals',
  key: principal_id,
  row,
  action: 'principal_activated',
  set: { status: 'active', ...(row.created_at === undefined ? { created_at: world.now() } : {}), ...serials },
  remove: suspensionRecord,
  condition: unchanged(row, [...decisive, ...suspensionRecord]),
});

/** An admin, or nobody yet: it is made one, activated, and entered into the list of admins. @throws Conflict */
export const admitAdmin =
  (world: World, principal_id: string, action: string) =>
  (subject: Principal | null): Admitted => {
    if (subject !== null && subject.type !== 'admin')
      throw new Conflict(
        `there is a principal ${principal_id} already that is no admin; ids are never reused`,
        'principal_id',
      );
    const changeSubject = (serials: Serials): Change => {
      if (subject === null) return makeAdmin(world, principal_id, serials);
      return subject.status === 'active'
        ? addSerials(subject, serials, action)
        : activateAdmin(world, subject, serials);
    };
    return {
      type: 'admin',
      write: async (serials) => [changeSubject(serials), await enlistAdmin(world, principal_id, action)],
    };
  };
