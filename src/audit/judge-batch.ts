/** What one batch of a table's stream is to be entered as, whatever stands in its records. */
import type { World } from '../world.ts';
import type { Draft } from './entry.ts';
import { judge, unreadable } from './judge.ts';

/** In the order of the records; none for a change that no entry tells of. */
export const judgeBatch = async (world: World, records: readonly unknown[]): Promise<Draft[]> => {
  const judging = { deployment: world.deployment, stampKey: await world.stampKey() };
  return records.flatMap((record) => {
    try {
      return judge(judging, record) ?? [];
    } catch (error) {
      return unreadable(record, error, world.now());
    }
  });
};
