/** Revokes for key_compromise: the certificate, what was renewed from it, what shares a key with those; and bars the keys. */
import { authorOf } from '../access/caller.ts';
import { batchGet } from '../aws/batch-get.ts';
import { queryAll } from '../aws/query-all.ts';
import { type Step, transact } from '../aws/transact.ts';
import { type Row, unchanged } from '../aws/unchanged.ts';
import { NotAllowed } from '../errors.ts';
import { certificateIndexes, controlKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type Certificate, mayStillBeUsed, parseCertificate } from './certificate.ts';
import { compromisedWith, withAncestors } from './compromised-with.ts';
import { findCertificates } from './find-certificates.ts';
import { compromiseKey } from './known-key.ts';
import { type Found, type Revoked, revocationAction, revocationSteps, revoked } from './revocation.ts';

/** A transaction has at most 100 operations; a certificate may bring its key's. */
const mostAtOnce = 40;
/** Those and the keys'. */
const mostSteps = 90;

/** What the attempts of one request have in common. */
export interface Progress {
  /** What they revoked. */
  readonly fallen: Set<string>;
  readonly walked: Map<string, Certificate>;
}

/**
 * One attempt. Everything that one principal may still use is known from its row, strongly consistently, and the
 * transaction fails when a certificate was issued to it meanwhile.
 */
export const revokeCompromised = async (
  world: World,
  found: Found,
  progress: Progress,
): Promise<Revoked | 'again' | 'more'> => {
  const { caller, principal, revoked_at } = found;
  const own = principal?.principal_id === caller.principal_id;
  if (own && (principal?.status !== 'active' || principal.type !== caller.principal_type))
    throw new NotAllowed('the principal of this request was suspended meanwhile');

  const held = await findCertificates(world, principal?.live_serials ?? []);
  // The later of two readings: what it says of itself is what is answered.
  const named = held.find(({ serial_number }) => serial_number === found.serial_number) ?? found.certificate;
  const known = await withAncestors(world, named, held, progress.walked);
  const falling = new Set(compromisedWith(named.serial_number, known));
  const compromised = known.filter(({ serial_number }) => falling.has(serial_number));
  const pending = compromised
    .filter((one) => one.serial_number === named.serial_number || mayStillBeUsed(one, world.now()))
    .filter((one) => !one.revoked)
    .sort((a, b) => rank(a, found) - rank(b, found));
  const keys = await unbarredKeys(world, compromised);
  if (pending.length === 0 && keys.length === 0)
    return revoked(named, await fellWith(world, named, compromised, progress));

  const now = pending.slice(0, mostAtOnce);
  const keysNow = keys.slice(0, mostSteps - now.length);
  const steps: Step[] = [
    ...(await revocationSteps(world, found, now, pending)),
    ...keysNow.map(([key, row]) => compromiseKey(row, key, named.principal_id ?? '')),
    subjectStep(world, found, own),
  ];
  if ((await transact(world, authorOf(caller), steps)) === 'again') return 'again';
  for (const { serial_number } of now) progress.fallen.add(serial_number);
  if (now.length < pending.length || keysNow.length < keys.length) return 'more';
  const last = named.revoked ? named : { ...named, revoked_at, revocation_reason: found.reason };
  return revoked(last, await fellWith(world, last, compromised, progress));
};

/** The named one first; the caller's own last, since without it the caller could not go on. */
const rank = ({ serial_number: serial }: Certificate, { certificate, caller }: Found): number =>
  serial === certificate.serial_number ? 0 : serial === caller.serial_number ? 2 : 1;

/** Each with its row, if it has one. */
const unbarredKeys = async (
  world: World,
  certificates: readonly Certificate[],
): Promise<(readonly [key: string, row: Row | undefined])[]> => {
  const keys = [...new Set(certificates.flatMap(({ public_key_sha256 }) => public_key_sha256 ?? []))];
  const rows = await batchGet(
    world,
    tableName(world.deployment, 'controls'),
    keys.map((key) => ({ control_id: controlKeys.key(key) })),
  );
  const known = new Map(rows.map((row) => [row.control_id, row]));
  return keys
    .map((key) => [key, known.get(controlKeys.key(key))] as const)
    .filter(([, row]) => row?.compromised === undefined);
};

/** Of two that change what a principal holds, an issue or a revocation, the second reads again. */
const subjectStep = (world: World, { certificate, principal }: Found, own: boolean): Step => {
  const TableName = tableName(world.deployment, 'principals');
  if (principal === null) {
    const Key = { principal_id: certificate.principal_id || '-' };
    const ConditionExpression = 'attribute_not_exists(principal_id)';
    return { item: { ConditionCheck: { TableName, Key, ConditionExpression } }, otherwise: 'again' };
  }
  return {
    table: 'principals',
    key: principal.principal_id,
    row: principal.row,
    action: revocationAction,
    set: { certificates_version: principal.certificates_version + 1 },
    condition: unchanged(principal.row, own ? ['certificates_version', 'status', 'type'] : ['certificates_version']),
  };
};

/**
 * What is revoked as compromised because the certificate is, whichever request revoked it: what this one revoked, what
 * was read, and what the principal's row no longer names but its index does.
 */
const fellWith = async (
  world: World,
  named: Certificate,
  compromised: readonly Certificate[],
  { fallen, walked }: Progress,
): Promise<string[]> => {
  const rows =
    named.principal_id === undefined
      ? []
      : await queryAll(world, {
          TableName: tableName(world.deployment, 'certificates'),
          IndexName: certificateIndexes.byPrincipal,
          KeyConditionExpression: 'principal_id = :principal',
          FilterExpression: 'revocation_reason = :reason',
          ExpressionAttributeValues: { ':principal': named.principal_id, ':reason': 'key_compromise' },
        });
  const known = new Set(compromised.map(({ serial_number }) => serial_number));
  const indexed = rows.map((row) => parseCertificate(row).serial_number).filter((serial) => !known.has(serial));
  const all = await withAncestors(world, named, [...compromised, ...(await findCertificates(world, indexed))], walked);
  const falling = new Set(compromisedWith(named.serial_number, all));
  const revokedBefore = all.filter(
    ({ serial_number, revoked, revocation_reason }) =>
      revoked && revocation_reason === 'key_compromise' && falling.has(serial_number),
  );
  const serials = new Set([...fallen, ...revokedBefore.map(({ serial_number }) => serial_number)]);
  return [...serials].filter((serial) => serial !== named.serial_number);
};
