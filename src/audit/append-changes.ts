/** Enters what one batch of a table's stream tells, whatever stands in its records. */
import { append } from './append.ts';
import type { Draft } from './entry.ts';
import { foundActions, judge, unreadable } from './judge.ts';
import type { Position } from './position.ts';
import type { AuditWorld } from './world.ts';

/** What of a batch is not the product's doing. */
export interface Suspicious {
  /** Changes that no product write explains. */
  readonly outOfBand: readonly Draft[];
  readonly unreadable: readonly Draft[];
}

export interface AppendedChanges {
  /** How many entries were made. */
  readonly entries: number;
  /** What a signed head has to cover now; null where there was nothing to enter. */
  readonly end: Position | null;
}

/**
 * `alarm` hears of the suspicious before anything is written, since writing may fail; so of a batch that comes again it
 * hears again. @throws when anything could not be written: the batch is to come again, and what was entered is known then
 */
export const appendChanges = async (
  world: AuditWorld,
  records: readonly unknown[],
  alarm: (suspicious: Suspicious) => void,
): Promise<AppendedChanges> => {
  const judging = { deployment: world.deployment, stampKey: await world.stampKey() };
  const drafts = records.flatMap((record) => {
    try {
      return judge(judging, record) ?? [];
    } catch (error) {
      return unreadable(record, error, world.now());
    }
  });
  if (drafts.length === 0) return { entries: 0, end: null };
  const { outOfBand, stampForged, recordUnreadable } = foundActions;
  const suspicious = {
    outOfBand: drafts.filter(({ action }) => action === outOfBand || action === stampForged),
    unreadable: drafts.filter(({ action }) => action === recordUnreadable),
  };
  if (suspicious.outOfBand.length + suspicious.unreadable.length > 0) alarm(suspicious);
  const { entered, ...end } = await append(world, drafts);
  return { entries: entered, end };
};
