/** What of each table's rows is worth an entry, and what of it an entry may show. */
import { type AuditedTable, controlKeys, generationCopies, tableKeys } from '../names.ts';
import { type AttributeValue, canonicalAttribute } from './attribute.ts';
import { inEndpoints, jobs } from './audited-renewal.ts';
import { hmac } from './hmac.ts';
import { ownAttributes, versionAttribute } from './stamp.ts';

export interface Declared {
  /** A verified write that changes nothing else makes no entry. */
  readonly bookkeeping: ReadonlySet<string> | 'all';
  /** Stands in entries as it is. What is not named here may be secret, and never does. */
  readonly shown: ReadonlySet<string>;
}

const none: ReadonlySet<string> = new Set();
const undeclared: Declared = { bookkeeping: none, shown: none };
const housekeeping: Declared = { bookkeeping: 'all', shown: none };

const principals: Declared = {
  bookkeeping: new Set(['live_serials', 'certificates_version']),
  shown: new Set([
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
  ]),
};

const certificates: Declared = {
  bookkeeping: none,
  shown: new Set([
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
  ]),
};

const generation: Declared = { bookkeeping: none, shown: new Set(['generation', 'reason', 'exempt_serials']) };

/** Whether nodes may enrol at all. */
const enrolment: Declared = { bookkeeping: none, shown: new Set(['closed', 'reason']) };

const copies = new Set(Array.from({ length: generationCopies - 1 }, (_, index) => controlKeys.generation(index + 1)));

/** A copy of the generation: it changes with the first one, in whose row the change is entered. */
export const isGenerationCopy = (table: AuditedTable, rowKey: string): boolean =>
  table === 'controls' && copies.has(rowKey);

const inControls = (rowKey: string): Declared => {
  if (rowKey.startsWith(controlKeys.lease(''))) return housekeeping;
  if (rowKey === controlKeys.admins || copies.has(rowKey)) return housekeeping;
  if (rowKey === controlKeys.generation(0)) return generation;
  if (rowKey === controlKeys.enrolment) return enrolment;
  // A key that is claimed is told by the certificate that is issued for it.
  if (rowKey.startsWith(controlKeys.key('')))
    return { bookkeeping: new Set(['principal_id']), shown: new Set(['compromised']) };
  return undeclared;
};

const declared = (table: AuditedTable, rowKey: string): Declared => {
  if (table === 'principals') return principals;
  if (table === 'certificates') return certificates;
  if (table === 'controls') return inControls(rowKey);
  if (table === 'endpoints') return inEndpoints(rowKey);
  if (table === 'jobs') return jobs;
  return undeclared;
};

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
