/**
 * What a product's write leaves in the row that it writes: who did what, under which request, sealed so that nobody who
 * can merely write the table can make one, move one to another row, or use one again.
 */
import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { AuditedTable, Deployment } from '../names.ts';
import { type AttributeValue, canonicalAttribute, type Image } from './attribute.ts';
import { hmac } from './hmac.ts';

/** Who makes a change. */
export interface Author {
  /** A principal's id, `function:<name>`, or `workflow:<state machine>/<execution>`: no principal id has a colon. */
  readonly actor: string;
  /** API Gateway's or Lambda's request id. */
  readonly request_id: string;
}

/** The attributes that every product write sets, and that no stamp covers but by being one. */
export const stampAttribute = 'stamp';
export const versionAttribute = 'row_version';
export const ownAttributes: ReadonlySet<string> = new Set([stampAttribute, versionAttribute]);

/** As it stands in the row, a map. */
export const stampSchema = z.strictObject({
  actor: z.string(),
  action: z.string(),
  request_id: z.string(),
  /** When it was written, ms since the epoch. */
  at: z.number().int(),
  /** Names of the attributes that the write set, and of those that it removed; sorted. */
  set: z.array(z.string()),
  removed: z.array(z.string()),
  /** HMAC-SHA-256 over all of it, the row's key, its version and the values that were set; Base64url. */
  mac: z.string(),
});
export type Stamp = z.infer<typeof stampSchema>;

/** What a stamp is bound to. */
export interface Stamped {
  readonly deployment: Deployment;
  readonly table: AuditedTable;
  /** The value of the row's key. */
  readonly key: string;
  /** `row_version` after the write. */
  readonly version: number;
  /** The row after the write, or at least the attributes that the stamp names as set. */
  readonly image: Image;
}

/** `row_version` of the product's first write is 1; what somebody typed in its place counts as none. */
export const nextVersion = (row_version: unknown): number =>
  typeof row_version === 'number' &&
  Number.isSafeInteger(row_version) &&
  row_version > 0 &&
  row_version < Number.MAX_SAFE_INTEGER
    ? row_version + 1
    : 1;

const macOf = (key: Uint8Array, stamped: Stamped, stamp: Omit<Stamp, 'mac'>): Buffer => {
  const { deployment, table, version, image } = stamped;
  const values = stamp.set.map((name) => {
    const value = image[name];
    return value === undefined ? null : canonicalAttribute(value);
  });
  const covered = [
    'everleaf row stamp 1',
    [deployment.name, deployment.environment, table, stamped.key],
    [version, stamp.at, stamp.actor, stamp.action, stamp.request_id],
    [stamp.set, values, stamp.removed],
  ];
  return hmac(key, JSON.stringify(covered));
};

/** The stamp of one write. `set` are the marshalled values that it sets, stamp and version not among them. */
export const makeStamp = (
  key: Uint8Array,
  stamped: Omit<Stamped, 'image'>,
  {
    author,
    action,
    at,
    set,
    removed,
  }: {
    readonly author: Author;
    readonly action: string;
    readonly at: number;
    readonly set: Readonly<Record<string, AttributeValue>>;
    readonly removed: readonly string[];
  },
): Stamp => {
  const stamp = {
    actor: author.actor,
    action,
    request_id: author.request_id,
    at,
    set: Object.keys(set).sort(),
    removed: [...removed].sort(),
  };
  return { ...stamp, mac: macOf(key, { ...stamped, image: set }, stamp).toString('base64url') };
};

/** Whether the stamp was made by the product for this row, at this version, with these values. */
export const stampVerifies = (key: Uint8Array, stamped: Stamped, { mac, ...stamp }: Stamp): boolean => {
  if (stamp.removed.some((name) => stamped.image[name] !== undefined)) return false;
  const expected = macOf(key, stamped, stamp);
  const given = Buffer.from(mac, 'base64url');
  return given.length === expected.length && timingSafeEqual(given, expected);
};
