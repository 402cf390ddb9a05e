/** Drafts as the tables' streams bring them: for the most part certificates that are issued to workers and end. */
import { createHash } from 'node:crypto';
import { toImage } from '../src/audit/attribute.ts';
import type { Draft } from '../src/audit/entry.ts';
import type { ChangedRow } from '../src/audit/record.ts';
import { changedNames, describeChange } from '../src/audit/row-change.ts';

/** Draft n is of `began` + n seconds. */
export const began = Date.parse('2026-11-01T06:00:00Z');
const day = 86_400_000;

const hex = (text: string, digits: number): string => createHash('sha256').update(text).digest('hex').slice(0, digits);
const uuid = (text: string): string => hex(text, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

interface Kind {
  readonly action: string;
  readonly row: ChangedRow;
  readonly version: number;
}

const certificateOf = (n: number, principal_id: string) => {
  const at = began + n * 1_000;
  return {
    serial_number: `0${at.toString(16)}${hex(`serial ${n}`, 20)}`,
    principal_id,
    issued_at: at,
    expires_at: at + 30 * day,
    revoked: false,
    fingerprint: hex(`fingerprint ${n}`, 64),
    public_key_sha256: hex(`key ${n}`, 64),
    generation: 0,
    subject: `CN=${principal_id}`,
    sans: [`URI:spiffe://everleaf.dev/worker/${principal_id}`],
    authority: hex('authority', 40),
    pem: `-----BEGIN CERTIFICATE-----\n${hex(`pem ${n}`, 64)}`,
    expiry_bucket: `2026-12-01#${n % 4}`,
  };
};

const changed = (table: ChangedRow['table'], key: string, before: object | null, after: object): ChangedRow => ({
  table,
  key,
  before: before === null ? undefined : toImage({ ...before }),
  after: toImage({ ...after }),
  time: began,
  expired: false,
});

const kindOf = (n: number): Kind => {
  const principal_id = `worker-${n % 97}`;
  const principal = { type: 'worker', status: 'active', created_at: began };
  const suspended = { status: 'suspended', suspended_at: began + n * 1_000, suspended_reason: `rotation ${n}` };
  const { serial_number, ...certificate } = certificateOf(n, principal_id);
  const revoked = { revoked: true, revoked_at: began + n * 1_000, revocation_reason: 'superseded' };
  switch (n % 10) {
    case 3:
      return { action: 'principal_created', row: changed('principals', principal_id, null, principal), version: 1 };
    case 5:
    case 7:
      return {
        action: 'principal_suspended',
        row: changed('principals', principal_id, principal, { ...principal, ...suspended }),
        version: 2,
      };
    case 8:
    case 9:
      return {
        action: 'certificate_revoked',
        row: changed('certificates', serial_number, certificate, { ...certificate, ...revoked }),
        version: 2,
      };
    default:
      return {
        action: 'certificate_issued',
        row: changed('certificates', serial_number, null, certificate),
        version: 1,
      };
  }
};

type Told = Pick<Draft, 'action' | 'actor' | 'request_id' | 'subject' | 'details'>;

/** What a break-glass edit brings. */
const outOfBand = (stampKey: Uint8Array, n: number): Told => {
  const key = `worker-${n % 97}`;
  const row = changed(
    'principals',
    key,
    { status: 'active' },
    { status: 'suspended', suspended_reason: 'break glass' },
  );
  return {
    action: 'out_of_band',
    actor: 'unknown',
    request_id: null,
    subject: `principals/${key}`,
    details: { changes: [describeChange(stampKey, row, changedNames(row), { showBefore: true })] },
  };
};

const byProduct = (stampKey: Uint8Array, n: number): Told => {
  const { action, row, version } = kindOf(n);
  return {
    action,
    actor: n % 4 === 0 ? 'admin-bootstrap' : `operator-${n % 3}`,
    request_id: uuid(`request ${n}`),
    subject: `${row.table}/${row.key}`,
    details: { changes: [describeChange(stampKey, row, changedNames(row), { version })] },
  };
};

/** The n-th; no two are merged into one entry. */
export const draftOf = (stampKey: Uint8Array, n: number): Draft => ({
  event_ids: [`stream:${hex(`event ${n}`, 32)}`],
  time: began + n * 1_000,
  ...(n % 40 === 39 ? outOfBand(stampKey, n) : byProduct(stampKey, n)),
});
