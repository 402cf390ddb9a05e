/** Says what is wrong once, and once when it is right again, however often it is found so. */
import type { Log } from './log.ts';

/** Of what is remembered as said. */
const most = 1_000;

export interface Complaints {
  /** `about` what, and why; said again when the reason is another. */
  readonly complain: (about: string, reason: string) => void;
  readonly settle: (about: string) => void;
}

export const openComplaints = (log: Log): Complaints => {
  const said = new Map<string, string>();
  return {
    complain: (about, reason) => {
      if (said.get(about) === reason) return;
      if (said.size >= most) said.clear();
      said.set(about, reason);
      log('error', about, { reason });
    },
    settle: (about) => {
      if (said.delete(about)) log('info', `no more: ${about}`);
    },
  };
};
