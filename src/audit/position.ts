/** How far the chain is, found out whatever somebody planted at its end, removed there or changed. */
import { beginning, followPage, followPlaces, type Item } from './follow.ts';
import { newestHead } from './newest-head.ts';
import { provenPosition } from './proven-position.ts';
import type { Frontier } from './tree.ts';
import type { AuditWorld } from './world.ts';

/** All that the next entry, or a head, depends on. */
export interface Position {
  /** The newest entry's sequence; 0 before the first. */
  readonly size: number;
  /** The newest entry's hash. */
  readonly hash: string;
  readonly frontier: Frontier;
  /** When the newest entry was entered, ms. */
  readonly appended_at: number;
  /** The frontier is not known to be that of the tree which was signed: entries go on, heads do not. */
  readonly isUnproven?: true;
}

export interface Found {
  readonly position: Position;
  /** What stands where the next entries belong, and was not appended by this deployment; by sequence. */
  readonly foreign: ReadonlyMap<number, Item>;
  /** The last place that was looked at, where not all that the next entries take were. */
  readonly to?: number;
}

const nothing: Found['foreign'] = new Map();

/**
 * How far the chain is now. What this environment remembers of it is taken as a beginning, as far as it goes.
 * @throws what the reads throw
 */
export const presentPosition = async (world: AuditWorld): Promise<Found> => {
  const found = await findPosition(world);
  remember(world, found.position);
  return found;
};

/** For the next append. What is not proven is looked at again each time: what is missing may have been put back. */
export const remember = ({ memory }: Pick<AuditWorld, 'memory'>, position: Position): void => {
  if (position.isUnproven === undefined) memory.position = position;
  else delete memory.position;
};

const findPosition = async (world: AuditWorld): Promise<Found> => {
  const { position: remembered } = world.memory;
  if (remembered !== undefined) {
    const position = await followPlain(world, remembered);
    if (position !== null) return { position, foreign: nothing };
  }
  const head = await newestHead(world.heads, {
    foreign: ({ key }) => world.alarm('an object among the heads is not signed by this deployment', { key }),
  });
  // So where the newest entries were removed, the next one still follows the last that was signed.
  if (remembered !== undefined && remembered.size >= (head?.size ?? 0)) return followDisturbed(world, remembered);
  const start = head === null ? beginning : await provenPosition(world, head);
  const position = await followPlain(world, start);
  return position === null ? followDisturbed(world, start) : { position, foreign: nothing };
};

/** The position after what was appended since; null where there is something else, too. */
const followPlain = async (world: AuditWorld, start: Position): Promise<Position | null> => {
  for (let position = start; ; ) {
    const page = await followPage(world, position);
    if (!page.isPlain) return null;
    ({ position } = page);
    if (!page.more) return position;
  }
};

/** Somebody else wrote where the next entries belong, or near it, or removed something there: place by place. */
const followDisturbed = async (world: AuditWorld, start: Position): Promise<Found> => {
  for (let from = start; ; ) {
    const { position, foreign, to, missing } = await followPlaces(world, from);
    for (const sequence of missing) world.alarm('an entry is missing, or not as it was appended', { sequence });
    if (position.size > from.size) {
      from = position;
      continue;
    }
    if (foreign.size > 0)
      world.alarm('rows after the newest entry are not ones that this deployment appended', {
        sequences: [...foreign.keys()],
      });
    return { position, foreign, to };
  }
};
