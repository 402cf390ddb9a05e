/** Compares rows with what the chain says of them, and remembers those that differ until that is decided. */
import { unreadAttribute } from '../aws/images.ts';
import { type Image, sameAttribute } from './attribute.ts';
import { originalOf, showValue } from './audited.ts';
import { isCompared, type RowName, rowDigest, wholeRow } from './compared.ts';
import type { Digest } from './digest.ts';
import { absent, type Differing, differing, type Ledger } from './ledger.ts';

/** How a row differs from what the chain says of it; a copy of another row, from that row. */
export const openComparison = (ledger: Ledger, stampKey: Uint8Array) => {
  const digestsOf = (row: RowName, image: Image | undefined): Map<string, Digest> =>
    new Map(
      Object.entries(image ?? {})
        .filter(([name]) => isCompared(row, name))
        .map(([name, value]) => [name, ledger.shownDigest(name, showValue(stampKey, row.table, row.key, name, value))]),
    );

  /** Without what was entered of the copy since its original last changed. */
  const fromOriginal = (
    copy: RowName,
    image: Image | undefined,
    original: RowName,
    first: Image | undefined,
  ): Map<string, Digest> => {
    const newest = lastSequence(ledger, original);
    const { attributes } = ledger.recordOf(copy);
    const digests = digestsOf(copy, image);
    const found = new Map<string, Digest>();
    for (const name of new Set([...Object.keys(image ?? {}), ...Object.keys(first ?? {})])) {
      if (!isCompared(copy, name) || sameAttribute(image?.[name], first?.[name])) continue;
      const digest = digests.get(name) ?? absent;
      const said = attributes.get(name);
      if (said?.digest !== digest || said.sequence < newest) found.set(name, digest);
    }
    return found;
  };

  /** `first`: the original's row, where it is a copy. */
  return (row: RowName, image: Image | undefined, first: Image | undefined): Differing => {
    const original = originalOf(row.table, row.key);
    if (original !== undefined) return fromOriginal(row, image, { table: row.table, key: original }, first);
    const record = ledger.recordOf(row);
    const digests = digestsOf(row, image);
    if (image !== undefined && (record.attributes.get(wholeRow)?.digest ?? absent) !== absent)
      digests.set(wholeRow, ledger.shownDigest(wholeRow, rowDigest(stampKey, row, image)));
    const found = differing(record, digests);
    found.delete(unreadAttribute);
    return found;
  };
};

/** The newest entry that said anything of the row; 0 for none. */
export const lastSequence = (ledger: Ledger, row: RowName): number => {
  const { truncated, attributes } = ledger.recordOf(row);
  return Math.max(truncated, ...[...attributes.values()].map(({ sequence }) => sequence));
};
