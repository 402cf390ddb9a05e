/** Who is let in: a pure function of the certificate, the clock and three items as DynamoDB wrote them. Fails closed. */
import { type Deployment, spiffeId } from '../names.ts';
import type { PrincipalType } from '../principal/principal.ts';
import type { PresentedCertificate } from './certificate.ts';
import { cleanReason } from './reason.ts';

/** An item in DynamoDB's JSON; attribute values may be of any type, since break-glass edits pass no validation. */
export type Item = Readonly<Record<string, unknown>>;

/** The three items of one read; undefined: DynamoDB said that there is none. */
export interface Records {
  readonly principal: Item | undefined;
  readonly certificate: Item | undefined;
  readonly generation: Item | undefined;
}

export interface Allow {
  readonly outcome: 'allow';
  readonly principal_id: string;
  readonly principal_type: PrincipalType;
  readonly serial_number: string;
  /** The current generation, not the certificate's. */
  readonly generation: number;
}

export interface Deny {
  readonly outcome: 'deny';
  /** What the client is told; its reason part is already cut and cleaned. */
  readonly message: string;
  readonly result: 'failure' | 'revoked' | 'suspended';
  readonly principal_type: PrincipalType | 'unknown';
  /** Empty unless revoked. */
  readonly revocation_reason: string;
  /** Another certificate than the one issued carries this serial number: a second or a stolen CA is at work. */
  readonly foreign: boolean;
}

export interface Unreadable {
  readonly outcome: 'unavailable';
  readonly cause: string;
}

export type Decision = Allow | Deny | Unreadable;

/** The six types; `Record` keeps the list whole without taking the schema library along. */
const types: Readonly<Record<PrincipalType, true>> = {
  admin: true,
  operator: true,
  auditor: true,
  worker: true,
  service: true,
  user: true,
};
const isType = (word: string | undefined): word is PrincipalType => word !== undefined && Object.hasOwn(types, word);

/** The value under `type` of an attribute that is of this type and no other. */
const attribute = (item: Item, name: string, type: string): unknown => {
  const value = Object.hasOwn(item, name) ? item[name] : undefined;
  return typeof value === 'object' && value !== null && Object.hasOwn(value, type) && Object.keys(value).length === 1
    ? (value as Item)[type]
    : undefined;
};
const string = (item: Item, name: string): string | undefined => {
  const value = attribute(item, name, 'S');
  return typeof value === 'string' ? value : undefined;
};
/** A whole number from 0; nothing else that we write is an N. */
const number = (item: Item, name: string): number | undefined => {
  const value = attribute(item, name, 'N');
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
};

/** Serials exempt from the current generation; undefined: the attribute is there and is no string set. */
const exemptSerials = (item: Item): readonly unknown[] | undefined => {
  if (!Object.hasOwn(item, 'exempt_serials')) return [];
  const serials = attribute(item, 'exempt_serials', 'SS');
  return Array.isArray(serials) ? serials : undefined;
};

const deny = (
  message: string,
  principal_type: Deny['principal_type'],
  result: Deny['result'] = 'failure',
  revocation_reason = '',
  foreign = false,
): Deny => ({ outcome: 'deny', message, result, principal_type, revocation_reason, foreign });

/** What is answered where there is no readable certificate, and so nothing to read from the tables. */
export const unreadableCertificate: Deny = deny('certificate unknown', 'unknown');

/**
 * Decides in the order in which denials apply (the first one is what the client is told). `now` is in ms since the
 * epoch. `unavailable` where the current generation cannot be told: neither an allow nor a denial would be known true.
 */
export const decide = (
  deployment: Deployment,
  certificate: PresentedCertificate,
  records: Records,
  now: number,
): Decision => {
  const current = records.generation && number(records.generation, 'generation');
  const exempt = records.generation && exemptSerials(records.generation);
  if (!records.generation || current === undefined || !exempt)
    return { outcome: 'unavailable', cause: `generation item ${records.generation ? 'malformed' : 'missing'}` };

  const type = records.principal && string(records.principal, 'type');
  const knownType = isType(type) ? type : undefined;
  const typeLabel = knownType ?? 'unknown';

  const row = records.certificate;
  const fingerprint = row && string(row, 'fingerprint');
  const generation = row && number(row, 'generation');
  const expiresAt = row && number(row, 'expires_at');
  const foreign = fingerprint !== undefined && fingerprint !== certificate.fingerprint;
  if (!row || fingerprint === undefined || foreign || generation === undefined || expiresAt === undefined)
    return deny('certificate unknown', typeLabel, 'failure', '', foreign);

  const principalId = certificate.commonName;
  if (
    principalId === undefined ||
    principalId !== string(row, 'principal_id') ||
    !certificate.clientAuth ||
    certificate.ca ||
    !(knownType ? [knownType] : Object.keys(types)).some(
      (one) => certificate.uri === spiffeId(deployment, one, principalId),
    )
  )
    return deny('certificate does not match principal', typeLabel);

  if (!records.principal) return deny('principal unknown', typeLabel);

  if (generation < current && !exempt.includes(certificate.serial_number)) {
    const reason = cleanReason(string(records.generation, 'reason'));
    return deny(`certificate revoked by emergency: ${reason}`, typeLabel, 'revoked', reason);
  }

  const active = string(records.principal, 'status') === 'active';
  if (!active || !knownType) {
    const reason = cleanReason(active ? undefined : string(records.principal, 'suspended_reason'));
    return deny(`principal suspended: ${reason}`, typeLabel, 'suspended');
  }

  if (attribute(row, 'revoked', 'BOOL') !== false) {
    const reason = cleanReason(string(row, 'revocation_reason'));
    return deny(`certificate revoked: ${reason}`, typeLabel, 'revoked', reason);
  }

  if (!(now < certificate.notAfter && now < expiresAt)) return deny('certificate expired', typeLabel);

  return {
    outcome: 'allow',
    principal_id: principalId,
    principal_type: knownType,
    serial_number: certificate.serial_number,
    generation: current,
  };
};
