/** Work side by side, but one thing at a time for each endpoint: what hangs at one holds up no other. */

/** At once; the others wait their turn. */
const most = 16;

export interface Lanes {
  /** Does it after what was put into the lane before. Says no when it is there already. */
  readonly put: (lane: string, work_id: string, work: () => Promise<void>) => boolean;
  /** When everything that was put in has ended. */
  readonly idle: () => Promise<void>;
}

/** `work` reports its own failures; what it throws all the same goes to `onDefect`. */
export const openLanes = (onDefect: (error: unknown) => void): Lanes => {
  const ends = new Map<string, Promise<void>>();
  const known = new Set<string>();
  const waiting: (() => void)[] = [];
  let running = 0;

  const turn = async (): Promise<void> => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
  };
  /** The place goes to whoever waits longest. */
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  };

  return {
    put: (lane, work_id, work) => {
      if (known.has(work_id)) return false;
      known.add(work_id);
      const end = (ends.get(lane) ?? Promise.resolve())
        .then(turn)
        .then(() => work().catch(onDefect).finally(leave))
        .finally(() => {
          known.delete(work_id);
          if (ends.get(lane) === end) ends.delete(lane);
        });
      ends.set(lane, end);
      return true;
    },
    idle: async () => {
      while (ends.size > 0) await Promise.all(ends.values());
    },
  };
};
