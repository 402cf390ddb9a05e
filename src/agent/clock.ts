/** This machine's clock against the server's, which is the one that certificates and tasks go by. */
import type { Log } from './log.ts';

/** ms */
const tolerated = 60_000;

export interface Clock {
  /** The server's, as far as it is known; ms since the epoch. */
  readonly now: () => number;
  /** Takes note of the server's clock, as told in an answer. Says so when ours is off by more than a minute, once. */
  readonly compare: (server_now: number, at: { readonly sent: number; readonly received: number }) => void;
}

export const openClock = (own: () => number, log: Log): Clock => {
  let ahead = 0;
  let warned = false;
  return {
    now: () => own() - ahead,
    compare: (server_now, { sent, received }) => {
      ahead = (sent + received) / 2 - server_now;
      const off = Math.abs(ahead) > tolerated;
      const seconds = Math.round(ahead / 1000);
      if (off && !warned)
        log('warning', 'clock is off', {
          ahead_seconds: seconds,
          cure: 'set this machine’s clock; the server’s is gone by',
        });
      if (!off && warned) log('info', 'clock is right again');
      warned = off;
    },
  };
};
