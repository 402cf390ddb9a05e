/** Revokes for key_compromise: the certificate, what was renewed from it, what shares a key with those; and bars the keys. */
import { batchGet } from '../aws/batch-get.ts';
import { queryAll } from '../aws/query-all.ts';
import { type Step, transact } from '../aws/transact.ts';
import { NotAllowed } from '../errors.ts';
import { certificateIndexes, controlKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type Certificate, mayStillBeUsed, parseCertificate } from './certificate.ts';
import { compromisedWith, withAncestors } from './compromised-with.ts';
import { findCertificates } from './find-certificates.ts';
import { compromiseKey } from './known-key.ts';
import { type Found, type Revoked, revocationSteps, revoked } from './revocation.ts';
import { versionUnchanged } from './subject-row.ts';

/** A transaction has at most 100 operations; a certificate may bring its key's. */
const mostAtOnce = 40;

/**
 * One attempt. Everything that one principal may still use is known from its row, strongly consistently, and the
 * transaction fails when a certificate was issued to it meanwhile. `fallen` collects what the attempts revoked.
 */
export const revokeCompromised = async (world: World, found: Found, fallen: string[]): Promise<Revoked | 'again'> => {
  const { caller, principal, revoked_at } = found;
  const own = principal?.principal_id === caller.principal_id;
  if (own && principal?.status !== 'active')
    throw new NotAllowed('the principal of this request was suspended meanwhile');

  const held = await findCertificates(world, principal?.live_serials ?? []);
  // The later of two readings: what it says of itself is what is answered.
  const named = held.find(({ serial_number }) => serial_number === found.serial_number) ?? found.certificate;
  const known = await withAncestors(world, named, held);
  const falling = new Set(compromisedWith(named.serial_number, known));
  const compromised = known.filter(({ serial_number }) => falling.has(serial_number));
  const pending = compromised
    .filter((one) => one.serial_number === named.serial_number || mayStillBeUsed(one, world.now()))
    .filter((one) => !one.revoked)
    .map(({ serial_number }) => serial_number)
    .sort((a, b) => rank(a, found) - rank(b, found));
  const keys = await unbarredKeys(world, compromised);
  if (pending.length === 0 && keys.length === 0)
    return revoked(named, fallen.length > 0 ? fallen : await fellWith(world, named));

  const now = pending.slice(0, mostAtOnce);
  const steps: Step[] = [
    ...(await revocationSteps(world, found, now, pending)),
    ...keys.slice(0, mostAtOnce).map((key) => compromiseKey(world, key, named.principal_id ?? '')),
    subjectStep(world, found, own),
  ];
  if ((await transact(world, steps)) === 'again') return 'again';
  fallen.push(...now.filter((serial) => serial !== named.serial_number));
  if (now.length < pending.length || keys.length > mostAtOnce) return 'again';
  return revoked(named.revoked ? named : { ...named, revoked_at, revocation_reason: found.reason }, fallen);
};

/** The named one first; the caller's own last, since without it the caller could not go on. */
const rank = (serial: string, { certificate, caller }: Found): number =>
  serial === certificate.serial_number ? 0 : serial === caller.serial_number ? 2 : 1;

const unbarredKeys = async (world: World, certificates: readonly Certificate[]): Promise<string[]> => {
  const keys = [...new Set(certificates.flatMap(({ public_key_sha256 }) => public_key_sha256 ?? []))];
  const rows = await batchGet(
    world,
    tableName(world.deployment, 'controls'),
    keys.map((key) => ({ control_id: controlKeys.key(key) })),
  );
  const barred = new Set(rows.filter(({ compromised }) => compromised !== undefined).map((row) => row.control_id));
  return keys.filter((key) => !barred.has(controlKeys.key(key)));
};

/** Of two that change what a principal holds, an issue or a revocation, the second reads again. */
const subjectStep = (world: World, { certificate, principal, caller }: Found, own: boolean): Step => {
  const TableName = tableName(world.deployment, 'principals');
  if (principal === null) {
    const Key = { principal_id: certificate.principal_id || '-' };
    const ConditionExpression = 'attribute_not_exists(principal_id)';
    return { item: { ConditionCheck: { TableName, Key, ConditionExpression } }, otherwise: 'again' };
  }
  const { principal_id, certificates_version } = principal;
  const active = own ? ' AND #status = :active AND #type = :type' : '';
  return {
    item: {
      Update: {
        TableName,
        Key: { principal_id },
        UpdateExpression: 'SET certificates_version = :next',
        ConditionExpression: `attribute_exists(principal_id) AND ${versionUnchanged(principal)}${active}`,
        ...(own ? { ExpressionAttributeNames: { '#status': 'status', '#type': 'type' } } : {}),
        ExpressionAttributeValues: {
          ':read': certificates_version,
          ':next': certificates_version + 1,
          ...(own ? { ':active': 'active', ':type': caller.principal_type } : {}),
        },
      },
    },
    otherwise: 'again',
  };
};

/** What an earlier request revoked together with the certificate: all of one request carry the same time. */
const fellWith = async (world: World, named: Certificate): Promise<string[]> => {
  if (named.principal_id === undefined || named.revoked_at === undefined) return [];
  if (named.revocation_reason !== 'key_compromise') return [];
  const rows = await queryAll(world, {
    TableName: tableName(world.deployment, 'certificates'),
    IndexName: certificateIndexes.byPrincipal,
    KeyConditionExpression: 'principal_id = :principal',
    FilterExpression: 'revoked_at = :at AND revocation_reason = :reason',
    ExpressionAttributeValues: {
      ':principal': named.principal_id,
      ':at': named.revoked_at,
      ':reason': named.revocation_reason,
    },
  });
  return rows
    .map((row) => parseCertificate(row).serial_number)
    .filter((serial_number) => serial_number !== named.serial_number);
};
