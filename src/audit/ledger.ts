/** What the chain, replayed, says of each attribute of each row: a digest of what it shows, and the entry that said so. */
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { type AuditedTable, auditedTables } from '../names.ts';
import { isCompared, type RowName, wholeRow } from './compared.ts';
import type { Digest } from './digest.ts';
import { type RowChange, rowChangeSchema } from './row-change.ts';
import { versionAttribute } from './stamp.ts';

/** Instead of a digest: the attribute is not there. */
export const absent: Digest = '\0'.repeat(8);

export interface Said {
  readonly digest: Digest;
  /** The entry that said it. */
  readonly sequence: number;
}

export interface RowRecord {
  /** Of the newest verified change; 0 for none, and after whatever may have set it back. */
  version: number;
  /** The entry that left the row's values out, being too large; what it may have changed is known as a whole alone. 0 for none. */
  truncated: number;
  readonly attributes: Map<string, Said>;
}

export interface Applied {
  readonly touched: readonly RowName[];
  /** Rows of whom a verified change of this version, or a later one, was entered before. */
  readonly repeated: readonly (RowName & { readonly version: number })[];
}

/** What details say of rows; other details say other things. */
export const changesSchema = z.looseObject({
  changes: z.array(rowChangeSchema),
  /** In a difference that was found: the newest entry when the row was read. */
  as_of: z.number().int().optional(),
});

/** Bytes: version, truncated; and for each attribute its name's number, the digest, the sequence. */
const versionBytes = 6;
const sequenceBytes = 5;
const largestVersion = 2 ** 48 - 1;
const headerBytes = versionBytes + sequenceBytes;
const nameBytes = 3;
const attributeBytes = nameBytes + 8 + sequenceBytes;

/** A row that needs no more looking at. */
const settled = '';

/**
 * One string of one-byte characters for each row, 11 and 16 for each attribute that it has or had: with its key, some
 * 350 bytes for a certificate.
 */
export const openLedger = (digestOf: (text: string) => Digest) => {
  const rows = new Map(auditedTables.map((table) => [table, new Map<string, string>()]));
  const names: string[] = [];
  const numbers = new Map<string, number>();

  const numberOf = (name: string): number => {
    const known = numbers.get(name);
    if (known !== undefined) return known;
    names.push(name);
    numbers.set(name, names.length - 1);
    return names.length - 1;
  };
  const pack = ({ version, truncated, attributes }: RowRecord): string => {
    const bytes = Buffer.allocUnsafe(headerBytes + attributes.size * attributeBytes);
    let at = bytes.writeUIntBE(truncated, bytes.writeUIntBE(version, 0, versionBytes), sequenceBytes);
    for (const [name, { digest, sequence }] of attributes) {
      at = bytes.writeUIntBE(numberOf(name), at, nameBytes);
      at += bytes.write(digest, at, 'latin1');
      at = bytes.writeUIntBE(sequence, at, sequenceBytes);
    }
    return bytes.toString('latin1');
  };
  const unpack = (packed: string): RowRecord => {
    const bytes = Buffer.from(packed, 'latin1');
    const attributes = new Map<string, Said>();
    for (let at = headerBytes; at < bytes.length; at += attributeBytes) {
      const digest = packed.slice(at + nameBytes, at + nameBytes + 8);
      const sequence = bytes.readUIntBE(at + nameBytes + 8, sequenceBytes);
      attributes.set(names[bytes.readUIntBE(at, nameBytes)] ?? '', { digest, sequence });
    }
    return {
      version: bytes.readUIntBE(0, versionBytes),
      truncated: bytes.readUIntBE(versionBytes, sequenceBytes),
      attributes,
    };
  };
  const packedOf = ({ table, key }: RowName): string | undefined => rows.get(table)?.get(key);

  /** What nothing was said of is a row without attributes: one of bookkeeping only, or none. */
  const recordOf = (row: RowName): RowRecord => {
    const packed = packedOf(row);
    return packed ? unpack(packed) : { version: 0, truncated: 0, attributes: new Map() };
  };

  /** By the digest of a value that was shown, or of one that would be. */
  const shownDigest = (name: string, shown: unknown): Digest =>
    digestOf(`${JSON.stringify(name)}${canonicalize(shown) ?? ''}`);

  const say = (record: RowRecord, change: RowChange, sequence: number, newest: number): void => {
    const { set, removed, created, deleted, whole, row, truncated } = change;
    const put = (name: string, digest: Digest): void => {
      const said = record.attributes.get(name)?.sequence ?? 0;
      if (isCompared(change, name) && (said <= newest || said === sequence))
        record.attributes.set(name, { digest, sequence });
    };
    const isAnew = created || deleted || whole;
    // A row that is made, or is gone, has nothing of what was known before.
    if (isAnew) for (const name of [...record.attributes.keys()]) put(name, absent);
    for (const name of removed) put(name, absent);
    for (const [name, shown] of Object.entries(set)) put(name, shownDigest(name, shown));
    if (row !== undefined) put(wholeRow, shownDigest(wholeRow, row));
    record.truncated = truncated && !deleted ? sequence : isAnew ? 0 : record.truncated;
  };

  return {
    shownDigest,
    recordOf,
    /** Entries must come in their order. Rows that are settled are left alone. */
    apply: (sequence: number, details: unknown): Applied => {
      const touched: RowName[] = [];
      const repeated: (RowName & { version: number })[] = [];
      const { data } = changesSchema.safeParse(details);
      // A difference tells of a row as it was read: what was said since is newer, though it stands before.
      const newest = data?.as_of ?? Number.MAX_SAFE_INTEGER;
      const isFound = data?.as_of !== undefined;
      for (const change of data?.changes ?? []) {
        const { table, key, version, set, removed, deleted } = change;
        if (packedOf(change) === settled) continue;
        const record = recordOf(change);
        say(record, change, sequence, newest);
        if (version !== undefined && version <= record.version) repeated.push({ table, key, version });
        if (version !== undefined) record.version = Math.min(Math.max(version, 0), largestVersion);
        else if (deleted || isFound || Object.hasOwn(set, versionAttribute) || removed.includes(versionAttribute))
          record.version = 0;
        rows.get(table)?.set(key, pack(record));
        touched.push({ table, key });
      }
      return { touched, repeated };
    },
    settle: ({ table, key }: RowName): void => {
      rows.get(table)?.set(key, settled);
    },
    /** Keys of the rows that there should be and that are not settled. */
    *standing(table: AuditedTable): Generator<string> {
      for (const [key, packed] of rows.get(table) ?? [])
        if (packed !== settled && [...unpack(packed).attributes.values()].some(({ digest }) => digest !== absent))
          yield key;
    },
  };
};

export type Ledger = ReturnType<typeof openLedger>;

/** Attributes by which a row is not what the chain says, each with what the row has. */
export type Differing = ReadonlyMap<string, Digest>;

/** `digests`: of what the row has and is to be compared. */
export const differing = (
  { truncated, attributes }: RowRecord,
  digests: ReadonlyMap<string, Digest>,
): Map<string, Digest> => {
  const found = new Map<string, Digest>();
  const isKnown = (name: string, sequence: number): boolean =>
    name === wholeRow || truncated === 0 || sequence > truncated;
  for (const [name, digest] of digests) {
    const said = attributes.get(name);
    if (isKnown(name, said?.sequence ?? 0) && (said?.digest ?? absent) !== digest) found.set(name, digest);
  }
  for (const [name, said] of attributes)
    if (isKnown(name, said.sequence) && said.digest !== absent && !digests.has(name)) found.set(name, absent);
  return found;
};
