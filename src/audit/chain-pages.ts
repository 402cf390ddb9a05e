/** Reads the chain from one entry on, a page at a time, for whoever goes through all of it. Links it does not verify. */
import { batchGet } from '../aws/batch-get.ts';
import { auditKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type ChainRows, readChainRows, type Start } from './chain-rows.ts';
import type { Entry } from './entry.ts';
import { openRow } from './seal.ts';

export interface ChainPage {
  /** In their order. */
  readonly entries: readonly Entry[];
  /** Rows that are not, or not any more, as this deployment appended them. */
  readonly foreign: number;
}

const openPage = async (world: World, items: readonly unknown[]): Promise<ChainPage> => {
  const stampKey = await world.stampKey();
  const entries = items.flatMap((item) => openRow(stampKey, world.deployment, item)?.entry ?? []);
  return { entries, foreign: items.length - entries.length };
};

/** The entries after sequence `after`, up to 1 MB of rows at a time, strongly consistently. */
export async function* chainPages(world: World, after: number): AsyncGenerator<ChainPage> {
  const read = (start: Start): Promise<ChainRows> => {
    const answer = readChainRows(world, { start });
    // Whoever stops reading leaves the page that was asked for in advance to itself.
    answer.catch(() => undefined);
    return answer;
  };
  let coming: Promise<ChainRows> | undefined = read({ at: after, exclusive: true });
  while (coming !== undefined) {
    const { rows, next }: ChainRows = await coming;
    coming = next === null ? undefined : read(next);
    yield openPage(world, rows);
  }
}

/** Those of the entries that are there, in no order. */
export const readEntries = async (world: World, sequences: readonly number[]): Promise<readonly Entry[]> => {
  const keys = sequences.map((sequence) => ({ chain: auditKeys.chain, sequence }));
  return (await openPage(world, await batchGet(world, tableName(world.deployment, 'audit'), keys))).entries;
};
