/** The chain, replayed up to its end, and further whenever more was entered; and what stands in it twice. */
import { z } from 'zod';
import type { World } from '../world.ts';
import { chainPages } from './chain-pages.ts';
import type { RowName } from './compared.ts';
import { type Digest, openDigestSet } from './digest.ts';
import type { Entry } from './entry.ts';
import { openLedger } from './ledger.ts';

/** An entry that tells of an event, or of a version of a row, that an earlier one told of. */
export interface Repetition {
  readonly sequence: number;
  /** In words. */
  readonly why: string;
}

/** In the details of the entry that reports a repetition: the sequence of what it reports. */
const reportSchema = z.looseObject({ repeated: z.number() });

export const openReplay = (world: World, digestOf: (text: string) => Digest) => {
  const ledger = openLedger(digestOf);
  const events = openDigestSet();
  const repetitions = new Map<number, Repetition>();
  let position = 0;
  let isWhole = false;

  const apply = ({ sequence, event_ids, details }: Entry): readonly RowName[] => {
    position = sequence;
    for (const id of event_ids)
      if (!events.add(digestOf(id))) repetitions.set(sequence, { sequence, why: `event ${id} was entered before` });
    const { touched, repeated } = ledger.apply(sequence, details);
    for (const { table, key, version } of repeated)
      repetitions.set(sequence, { sequence, why: `version ${version} of ${table}/${key} was entered before` });
    const reported = reportSchema.safeParse(details).data?.repeated;
    if (reported !== undefined) repetitions.delete(reported);
    return touched;
  };

  return {
    ledger,
    /**
     * Reads what was entered since the last time; `onTouched` is told of each row after each entry that names it.
     * Answers how many rows in between were none of the chain's.
     */
    advance: async (onTouched: (row: RowName) => void): Promise<number> => {
      let strangers = 0;
      for await (const { entries, foreign } of chainPages(world, position)) {
        strangers += foreign;
        for (const entry of entries) for (const row of apply(entry)) onTouched(row);
        // Later, what others put beyond the end is not read again each time.
        if (isWhole && entries.length === 0) break;
      }
      isWhole = true;
      return strangers;
    },
    /** The newest entry that was read. */
    position: (): number => position,
    /** Those that no entry has reported yet. */
    repetitions: (): readonly Repetition[] => [...repetitions.values()],
  };
};

export type Replay = ReturnType<typeof openReplay>;
