/** Repeats an attempt that met another's: each time it reads afresh, after a wait that grows. */
import { Unavailable } from '../errors.ts';
import type { World } from '../world.ts';

const attempts = 10;
/** ms; the wait before attempt n is random below 2^n of these, at most `longestWait`. */
const firstWait = 20;
const longestWait = 800;

/** ms; no attempt begins later than this, well within the 25 s of a function. */
const longest = 15_000;

/**
 * Runs an attempt that reads afresh until it answers neither 'again' nor 'more', which says that it wrote a part.
 * @throws Unavailable after ten attempts without progress, or when time is short
 */
export const untilSettled = async <T>(world: World, attempt: () => Promise<T | 'again' | 'more'>): Promise<T> => {
  const began = world.now();
  for (let n = 0; n < attempts; n += 1) {
    const outcome = await attempt();
    if (outcome !== 'again' && outcome !== 'more') return outcome;
    if (world.now() - began > longest) throw new Unavailable('not everything is done yet; repeat the request');
    if (outcome === 'more') {
      n = -1;
      continue;
    }
    const share = ((world.randomBytes(1)[0] ?? 0) + 1) / 256;
    await new Promise((resolve) => setTimeout(resolve, share * Math.min(longestWait, firstWait * 2 ** n)));
  }
  throw new Unavailable('too many changes at once; try again');
};
