/** Looks for rows that are not what the chain says of them, and again at those, until no change under way can be why. */
import { readImages, scanImages } from '../aws/images.ts';
import { type AuditedTable, auditedTables } from '../names.ts';
import type { World } from '../world.ts';
import type { Image } from './attribute.ts';
import { copies, originalOf } from './audited.ts';
import { batches } from './batches.ts';
import type { RowName } from './compared.ts';
import { openComparison } from './comparison.ts';
import type { Digest } from './digest.ts';
import { absent } from './ledger.ts';
import type { Replay } from './replay.ts';

export interface SearchWorld extends World {
  readonly sleep: (ms: number) => Promise<void>;
  /** What is left of the function's time, ms. */
  readonly remaining_ms: () => number;
}

/** ms; changes under way are entered within it. */
const settling = 60_000;
/** Looks at rows that differ, besides the first one. */
const looks = 4;
/** ms that must be left for another look, and for entering what was found. */
const looking = 180_000;
/** Rows that one run remembers; more are found by the next. */
const mostSuspects = 20_000;

/** A row that differed by these attributes when it was looked at last. */
interface Suspect extends RowName {
  differing: Map<string, Digest>;
  /** The newest entry when it was first seen to differ. */
  readonly as_of: number;
}
/**
 * A row that differs by these attributes: their values were the same at the look before, a minute ago, or were others at
 * each look and no entry told of any.
 */
export interface Confirmed extends RowName {
  /** undefined when there is no such row. */
  readonly image: Image | undefined;
  readonly names: readonly string[];
}

const idOf = ({ table, key }: RowName): string => `${table}/${key}`;
const originals = new Set(copies.map(({ table, original }) => idOf({ table, key: original })));

/** Goes through all tables, and on in the replay meanwhile. */
export const openSearch = (world: SearchWorld, replay: Replay, stampKey: Uint8Array) => {
  const { ledger } = replay;
  const differs = openComparison(ledger, stampKey);
  const suspects = new Map<string, Suspect>();
  let tooMany = 0;
  let foreign = 0;

  /** What is said of a row that has copies is still needed when they are looked at. */
  const settle = (row: RowName): void => {
    if (!originals.has(idOf(row))) ledger.settle(row);
  };

  const look = (row: RowName, image: Image | undefined, first?: Image): void => {
    const differing = differs(row, image, first);
    if (differing.size > 0 && suspects.size < mostSuspects) {
      suspects.set(idOf(row), { ...row, differing: new Map(differing), as_of: replay.position() });
      return;
    }
    if (differing.size > 0) tooMany += 1;
    settle(row);
  };

  /** Whatever the chain comes to say of a row after it was read clears it: the change was under way. */
  const clear = (row: RowName): void => {
    const suspect = suspects.get(idOf(row));
    if (suspect === undefined) return;
    const { attributes } = ledger.recordOf(row);
    for (const [name, digest] of suspect.differing)
      if ((attributes.get(name)?.digest ?? absent) === digest) suspect.differing.delete(name);
    if (suspect.differing.size > 0) return;
    suspects.delete(idOf(row));
    settle(row);
  };
  const advance = async (): Promise<void> => {
    foreign = Math.max(foreign, await replay.advance(clear));
  };

  const scan = async (table: AuditedTable): Promise<number> => {
    let rows = 0;
    for await (const page of scanImages(world, table)) {
      for (const [key, image] of page) if (originalOf(table, key) === undefined) look({ table, key }, image);
      rows += page.size;
      await advance();
    }
    // What is left of the ledger is gone from the table, or was made after the scan had passed.
    const left = [...ledger.standing(table)].filter(
      (key) => !suspects.has(idOf({ table, key })) && originalOf(table, key) === undefined,
    );
    for (const keys of batches(left)) {
      await advance();
      const images = await readImages(world, table, keys);
      for (const key of keys) look({ table, key }, images.get(key));
    }
    return rows;
  };

  const lookAtCopies = async (): Promise<void> => {
    for (const table of new Set(copies.map((copy) => copy.table))) {
      const some = copies.filter((copy) => copy.table === table);
      const keys = new Set(some.flatMap(({ key, original }) => [key, original]));
      const images = await readImages(world, table, [...keys]);
      for (const { key, original } of some) look({ table, key }, images.get(key), images.get(original));
    }
  };

  /** Those that differ as they did before are confirmed; those that differ otherwise stay suspect until the last look. */
  const lookAgain = async (some: readonly Suspect[], table: AuditedTable, isLast: boolean): Promise<Confirmed[]> => {
    const keys = new Set(some.flatMap(({ key }) => [key, originalOf(table, key) ?? key]));
    const images = await readImages(world, table, [...keys]);
    return some.flatMap((suspect) => {
      const { key, differing: before } = suspect;
      const image = images.get(key);
      const now = differs(suspect, image, images.get(originalOf(table, key) ?? key));
      const { attributes } = ledger.recordOf(suspect);
      const isUntold = (name: string): boolean => (attributes.get(name)?.sequence ?? 0) <= suspect.as_of;
      const names = [...now]
        .filter(([name, digest]) => before.get(name) === digest || (isLast && isUntold(name)))
        .map(([name]) => name);
      // Of what the last look leaves, entries tell: a change of it was under way at every look.
      const isDecided = isLast || now.size === names.length;
      if (isDecided) suspects.delete(idOf(suspect));
      else suspect.differing = new Map(now);
      return isDecided && names.length > 0 ? [{ table, key, image, names }] : [];
    });
  };

  return {
    /** `foreign`: rows in the chain's place that are not, or not any more, as they were appended. */
    everywhere: async (): Promise<{ rows: number; foreign: number }> => {
      await advance();
      let rows = 0;
      for (const table of auditedTables) rows += await scan(table);
      await lookAtCopies();
      return { rows, foreign };
    },
    /** Hands on some at a time what is confirmed; answers how many rows it could not decide. */
    confirm: async (enter: (some: readonly Confirmed[]) => Promise<unknown>): Promise<number> => {
      for (let n = 1; n <= looks && suspects.size > 0 && world.remaining_ms() > looking; n += 1) {
        await world.sleep(settling);
        await advance();
        for (const table of auditedTables)
          for (const some of batches([...suspects.values()].filter((suspect) => suspect.table === table))) {
            const confirmed = await lookAgain(some, table, n === looks);
            if (confirmed.length > 0) await enter(confirmed);
          }
      }
      return suspects.size + tooMany;
    },
  };
};
