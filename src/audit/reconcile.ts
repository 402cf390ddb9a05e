/**
 * Compares the tables with the chain, replayed: what was changed while no stream was read, put back from a backup, or
 * taken away is found, and entered once.
 */
import { readImages, scanImages } from '../aws/images.ts';
import { type AuditedTable, auditedTables, controlKeys, generationCopies } from '../names.ts';
import { append } from './append.ts';
import type { Image } from './attribute.ts';
import { isGenerationCopy } from './audited.ts';
import { readEntries } from './chain-pages.ts';
import { firstCopy, lastSequence, openComparison } from './comparison.ts';
import { coverWithHead } from './cover-with-head.ts';
import {
  type Difference,
  differenceDraft,
  type Reconciliation,
  reconciledDraft,
  repetitionDraft,
} from './difference.ts';
import { openDigest } from './digest.ts';
import { absent, changesSchema, type RowName } from './ledger.ts';
import { openReplay, type Replay } from './replay.ts';
import type { AuditWorld } from './world.ts';

export interface ReconcileWorld extends AuditWorld {
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
/** Rows that are looked at, and differences that are entered, at a time. */
const chunk = 100;

/** A row that differed when it was looked at last, by these attributes. */
interface Suspect extends RowName {
  differing: Map<string, string>;
}
/** By the same values at two looks, with the minute in between: no change under way. */
type Confirmed = Pick<Difference, 'image' | 'names'> & RowName;

const idOf = ({ table, key }: RowName): string => `${table}/${key}`;
const chunks = <T>(all: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(all.length / chunk) }, (_, index) => all.slice(index * chunk, (index + 1) * chunk));

/**
 * `run` names the invocation: one that is repeated enters nothing twice, and neither do two at the same time. A row that
 * the chain disagrees with is looked at again when what was under way has been entered; only what stays is a difference.
 */
export const reconcileAudit = async (world: ReconcileWorld, { run }: { run: string }): Promise<Reconciliation> => {
  const stampKey = await world.stampKey();
  const replay = openReplay(world, openDigest(world.randomBytes(16)));
  const search = openSearch(world, replay, openComparison(replay.ledger, stampKey));
  const { rows, foreign } = await search.everywhere();
  const { confirmed, undecided } = await search.decided();

  const telling = () => ({ as_of: replay.position(), run, now: world.now() });
  const repetitions = replay.repetitions().map((repetition) => repetitionDraft(repetition, telling()));
  for (const some of chunks(repetitions)) await append(world, some);
  for (const some of chunks(confirmed)) {
    const differences = await withHistory(world, replay, some);
    await append(
      world,
      differences.map((difference) => differenceDraft(stampKey, difference, telling())),
    );
  }
  const differences = confirmed.length + repetitions.length;
  const result = { rows, entries: replay.position(), differences, undecided, foreign };
  await coverWithHead(world, await append(world, [reconciledDraft(result, telling())]));
  return result;
};

/** `differs`: with the generation's first copy for those of the others. */
const openSearch = (world: ReconcileWorld, replay: Replay, differs: ReturnType<typeof openComparison>) => {
  const { ledger } = replay;
  const suspects = new Map<string, Suspect>();
  let tooMany = 0;
  let foreign = 0;

  /** When the first copy changed, the others are compared by. */
  const settle = (row: RowName): void => {
    if (idOf(row) !== idOf(firstCopy)) ledger.settle(row);
  };

  const look = (row: RowName, image: Image | undefined, first?: Image): void => {
    const differing = differs(row, image, first);
    if (differing.size > 0 && suspects.size < mostSuspects) {
      suspects.set(idOf(row), { ...row, differing: new Map(differing) });
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
      for (const [key, image] of page) if (!isGenerationCopy(table, key)) look({ table, key }, image);
      rows += page.size;
      await advance();
    }
    // What is left of the ledger is gone from the table, or was made after the scan had passed.
    const left = [...ledger.standing(table)].filter(
      (key) => !suspects.has(idOf({ table, key })) && !isGenerationCopy(table, key),
    );
    for (const keys of chunks(left)) {
      await advance();
      const images = await readImages(world, table, keys);
      for (const key of keys) look({ table, key }, images.get(key));
    }
    return rows;
  };

  const copies = Array.from({ length: generationCopies - 1 }, (_, index) => controlKeys.generation(index + 1));
  const lookAtCopies = async (): Promise<void> => {
    const images = await readImages(world, 'controls', [firstCopy.key, ...copies]);
    for (const key of copies) look({ table: 'controls', key }, images.get(key), images.get(firstCopy.key));
  };

  /** Those that differ as they did before are confirmed; those that differ otherwise stay suspect. */
  const lookAgain = async (isLast: boolean): Promise<Confirmed[]> => {
    const confirmed: Confirmed[] = [];
    for (const table of auditedTables)
      for (const some of chunks([...suspects.values()].filter((suspect) => suspect.table === table))) {
        const images = await readImages(world, table, [
          ...new Set([...some.map(({ key }) => key), ...(table === firstCopy.table ? [firstCopy.key] : [])]),
        ]);
        for (const suspect of some) {
          const image = images.get(suspect.key);
          const now = differs(suspect, image, images.get(firstCopy.key));
          const names = [...now]
            .filter(([name, digest]) => suspect.differing.get(name) === digest)
            .map(([name]) => name);
          if (names.length > 0 && (isLast || names.length === now.size)) {
            confirmed.push({ table, key: suspect.key, image, names });
            suspects.delete(idOf(suspect));
          } else if (now.size === 0) suspects.delete(idOf(suspect));
          else suspect.differing = new Map(now);
        }
      }
    return confirmed;
  };

  return {
    everywhere: async (): Promise<{ rows: number; foreign: number }> => {
      await advance();
      let rows = 0;
      for (const table of auditedTables) rows += await scan(table);
      await lookAtCopies();
      return { rows, foreign };
    },
    decided: async (): Promise<{ confirmed: readonly Confirmed[]; undecided: number }> => {
      const confirmed: Confirmed[] = [];
      for (let n = 1; n <= looks && suspects.size > 0 && world.remaining_ms() > looking; n += 1) {
        await world.sleep(settling);
        await advance();
        confirmed.push(...(await lookAgain(n === looks)));
      }
      return { confirmed, undecided: suspects.size + tooMany };
    },
  };
};

/** What the chain says of the attributes, out of the entries that said it. */
const withHistory = async (
  world: ReconcileWorld,
  { ledger }: Replay,
  rows: readonly Confirmed[],
): Promise<Difference[]> => {
  const said = rows.map((row) => {
    const { attributes } = ledger.recordOf(row);
    const known = [...attributes].filter(([, { digest }]) => digest !== absent);
    return { row, known, since: lastSequence(ledger, row) };
  });
  const sequences = new Set(
    said.flatMap(({ row, known }) =>
      known.filter(([name]) => row.names.includes(name)).map(([, { sequence }]) => sequence),
    ),
  );
  const entries = new Map((await readEntries(world, [...sequences])).map((entry) => [entry.sequence, entry]));
  return said.map(({ row, known, since }) => {
    const before = known.flatMap(([name, { sequence }]) => {
      const changes = changesSchema.safeParse(entries.get(sequence)?.details).data?.changes ?? [];
      const change = changes.findLast(
        ({ table, key, set }) => table === row.table && key === row.key && Object.hasOwn(set, name),
      );
      return change === undefined || !row.names.includes(name) ? [] : [[name, change.set[name]] as const];
    });
    return { ...row, before: Object.fromEntries(before), unknown: known.length === 0, since };
  });
};
