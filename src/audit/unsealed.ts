/** The first entry after a signed one that the chain's writer did not enter. */
import type { World } from '../world.ts';
import { readChainRows, type Start } from './chain-rows.ts';

/** So many entries are looked at: heads are signed every few hundred at the latest. */
const reach = 2_000;

/**
 * Null where each that is there up to `to` bears its seal, and where nothing can be told by seals: the signed entry does
 * not bear one of the present key either. Both are sequences.
 */
export const firstUnsealed = async (
  world: World,
  { signed, to }: { readonly signed: number; readonly to: number },
  isSealed: (bytes: string) => boolean,
): Promise<number | null> => {
  if (to - signed > reach) return null;
  let start: Start | null = { at: signed, exclusive: false };
  while (start !== null && start.at <= to) {
    const { rows, next } = await readChainRows(world, { start, end: to });
    for (const { sequence, entry } of rows)
      if (typeof sequence === 'number' && !isSealed(String(entry))) return sequence === signed ? null : sequence;
    start = next;
  }
  return null;
};
