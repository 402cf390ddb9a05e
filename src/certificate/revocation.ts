/** What every revocation shares: what it is asked, what it answers, and the transaction that makes it so. */
import type { Caller } from '../access/caller.ts';
import { callerCertificateStands, callerIsActive, generationIs } from '../access/caller-stands.ts';
import type { Reach } from '../access/roles.ts';
import { guardLastAdmin } from '../access/usable-admins.ts';
import type { Step } from '../aws/transact.ts';
import { unchanged } from '../aws/unchanged.ts';
import { type Principal, recordInvalid } from '../principal/principal.ts';
import type { World } from '../world.ts';
import type { Certificate, RevocationReason } from './certificate.ts';

export const revocationAction = 'certificate_revoked';

export interface Revocation {
  readonly caller: Caller;
  readonly reach: Reach;
  readonly serial_number: string;
  readonly reason: RevocationReason;
  /** Revokes the last usable admin's last certificate too; admins only. */
  readonly force: boolean;
}

export interface Revoked {
  readonly serial_number: string;
  readonly status: 'revoked';
  /** Milliseconds since the epoch; absent where a break-glass edit left it out. */
  readonly revoked_at?: number;
  readonly revocation_reason: string;
  /** What fell with it, for key_compromise. */
  readonly also_revoked: readonly string[];
}

/** What one attempt works on. `revoked_at` (ms) is the same for all attempts. */
export interface Found extends Revocation {
  readonly certificate: Certificate;
  /** null: the certificate's principal has no row. */
  readonly principal: Principal | null;
  readonly revoked_at: number;
}

export const revoked = (
  { serial_number, revoked_at, revocation_reason }: Certificate,
  also_revoked: readonly string[],
): Revoked => ({
  serial_number,
  status: 'revoked',
  ...(revoked_at === undefined ? {} : { revoked_at }),
  revocation_reason: revocation_reason || recordInvalid,
  also_revoked,
});

/**
 * Revokes `now` in one transaction that keeps a usable admin and that the caller must live to see. `all`: what will be
 * revoked by this and the transactions after it.
 */
export const revocationSteps = async (
  world: World,
  { caller, principal, reason, force, revoked_at }: Found,
  now: readonly Certificate[],
  all: readonly Certificate[] = now,
): Promise<Step[]> => {
  const guard =
    principal?.type === 'admin' && principal.status === 'active' && all.length > 0
      ? [
          await guardLastAdmin(world, {
            removing: { serial_numbers: all.map(({ serial_number }) => serial_number) },
            force,
            action: revocationAction,
          }),
        ]
      : [];
  return [
    ...now.map(
      ({ serial_number, row }): Step => ({
        table: 'certificates',
        key: serial_number,
        row,
        action: revocationAction,
        set: { revoked: true, revoked_at, revocation_reason: reason },
        condition: unchanged(row, ['revoked']),
      }),
    ),
    ...guard,
    generationIs(world, caller.generation),
    ...(now.some(({ serial_number }) => serial_number === caller.serial_number)
      ? []
      : [callerCertificateStands(world, caller)]),
    ...(reason === 'key_compromise' && principal?.principal_id === caller.principal_id
      ? []
      : [callerIsActive(world, caller)]),
  ];
};
