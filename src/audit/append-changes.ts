/** Enters what one batch of a table's stream tells, whatever stands in its records. */
import { append } from './append.ts';
import type { Draft } from './entry.ts';
import { foundActions, judge, unreadable } from './judge.ts';
import type { Position } from './position.ts';
import type { AuditWorld } from './world.ts';

export interface AppendedChanges {
  /** How many entries were made. */
  readonly entries: number;
  /** Changes that no product write explains. Those of a batch that comes again are told again. */
  readonly outOfBand: readonly Draft[];
  readonly unreadable: readonly Draft[];
  /** What a signed head has to cover now; null where there was nothing to enter. */
  readonly end: Position | null;
}

/** @throws when anything could not be written: the batch is to come again, and what was entered will be known then */
export const appendChanges = async (world: AuditWorld, records: readonly unknown[]): Promise<AppendedChanges> => {
  const judging = { deployment: world.deployment, stampKey: await world.stampKey() };
  const drafts = records.flatMap((record) => {
    try {
      return judge(judging, record) ?? [];
    } catch (error) {
      return unreadable(record, error, world.now());
    }
  });
  if (drafts.length === 0) return { entries: 0, outOfBand: [], unreadable: [], end: null };
  const { entered, ...end } = await append(world, drafts);
  const { outOfBand, stampForged, recordUnreadable } = foundActions;
  return {
    entries: entered,
    outOfBand: drafts.filter(({ action }) => action === outOfBand || action === stampForged),
    unreadable: drafts.filter(({ action }) => action === recordUnreadable),
    end,
  };
};
