/** What of each table's rows is worth an entry, and what of it an entry may show. */
import { type AuditedTable, auditedTables, controlKeys, generationCopies, tableKeys } from '../names.ts';
import { type AttributeValue, canonicalAttribute } from './attribute.ts';
import { endpoints, jobs } from './audited-renewal.ts';
import { type Declared, type DeclaredRows, declare, rows } from './declared.ts';
import { hmac } from './hmac.ts';
import { ownAttributes, versionAttribute } from './stamp.ts';

const principal = declare(
  ['live_serials', 'certificates_version'],
  [
    'status',
    'type',
    'suspended_at',
    'suspended_reason',
    'created_at',
    'suspension',
    'fleet_id',
    'fleet_created_at',
    'endpoint_ids',
    'enrolled_with',
  ],
);

const certificate = declare(
  [],
  [
    'principal_id',
    'issued_at',
    'expires_at',
    'revoked',
    'revoked_at',
    'revocation_reason',
    'fingerprint',
    'public_key_sha256',
    'generation',
    'renewed_from',
    'subject',
    'sans',
    'authority',
  ],
);

const undeclared = declare([], []);
const housekeeping = declare('all', []);
const inGeneration = ['generation', 'reason', 'exempt_serials'];
const firstCopy = controlKeys.generation(0);
/** They change with the first one, in whose row the change is entered. */
const generationCopy = declare('all', inGeneration, { copyOf: firstCopy });

const controls = rows({
  [controlKeys.lease('*')]: housekeeping,
  [controlKeys.admins]: housekeeping,
  // A key that is claimed is told by the certificate that is issued for it.
  [controlKeys.keys]: declare(['principal_id', 'job_id'], ['compromised']),
  ...Object.fromEntries(
    Array.from({ length: generationCopies - 1 }, (_, index) => [controlKeys.generation(index + 1), generationCopy]),
  ),
  [firstCopy]: declare([], inGeneration),
  [controlKeys.enrolment]: declare([], ['closed', 'reason']),
  '*': undeclared,
});

/** Every audited table: one that is missing here does not compile. */
const tables: Readonly<Record<AuditedTable, DeclaredRows>> = {
  principals: rows({ '*': principal }),
  certificates: rows({ '*': certificate }),
  endpoints,
  jobs,
  credentials: rows({ '*': undeclared }),
  controls,
};

const declared = (table: AuditedTable, rowKey: string): Declared => tables[table].of(rowKey);

/** A row that repeats another one of its table. */
export interface RowCopy {
  readonly table: AuditedTable;
  readonly key: string;
  readonly original: string;
}

export const copies: readonly RowCopy[] = auditedTables.flatMap((table) =>
  [...tables[table].copies].map(([key, original]) => ({ table, key, original })),
);

/** The key of the row that this one repeats; undefined for a row that stands for itself. */
export const originalOf = (table: AuditedTable, rowKey: string): string | undefined => tables[table].copies.get(rowKey);

/** The attribute whose time (seconds) ends the row; undefined for a row that never expires. */
export const expiryOf = (table: AuditedTable, rowKey: string): string | undefined => declared(table, rowKey).expires;

/** Whether the attribute is the product's own affair: a verified change of it is silent, and it is not reconciled. */
export const isBookkeeping = (table: AuditedTable, rowKey: string, name: string): boolean => {
  if (name === tableKeys[table] || ownAttributes.has(name)) return true;
  const { bookkeeping } = declared(table, rowKey);
  return bookkeeping === 'all' || bookkeeping.has(name);
};

/** Characters of JSON; what is longer is not shown. */
const longestShown = 1_024;

/**
 * What an entry says of an attribute's value: the value itself where that is declared harmless and short, else
 * `{"hmac": …}`, which tells equal from different to whoever has the key and nothing to anybody else. Different values
 * are shown differently.
 */
export const showValue = (
  key: Uint8Array,
  table: AuditedTable,
  rowKey: string,
  name: string,
  value: AttributeValue,
): unknown => {
  if (name === versionAttribute || declared(table, rowKey).shown.has(name)) {
    const plain = plainValue(value);
    if (JSON.stringify(plain).length <= longestShown) return plain;
  }
  const covered = ['everleaf shown value 1', table, rowKey, name, canonicalAttribute(value)];
  return { hmac: hmac(key, JSON.stringify(covered)).toString('hex').slice(0, 32) };
};

/** Strings, booleans, null, lists and numbers that JSON has exactly are themselves; anything else says its type. */
const plainValue = (value: AttributeValue): unknown => {
  if (value.S !== undefined) return value.S;
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.NULL !== undefined) return null;
  if (value.L !== undefined) return value.L.map(plainValue);
  const [type, content] = tagged(value);
  return type === 'N' && typeof content === 'string' && String(Number(content)) === content
    ? Number(content)
    : { [type]: content };
};

/** A type and one content, whoever wrote the value down. */
const tagged = (value: AttributeValue): [string, unknown] => {
  const canonical = canonicalAttribute(value);
  const [type, content] = Array.isArray(canonical) ? canonical : [];
  if (typeof type !== 'string') throw new Error('an attribute value of no known type');
  return [type, content];
};
