/** When a renewal that failed is tried again. */

/** ms; the wait after attempt n is between half and all of 2^(n-1) of these, at most `longestWait_ms`. */
const firstWait_ms = 30_000;
export const longestWait_ms = 6 * 3_600_000;

export interface Tried {
  /** The attempt that failed, from 1 on. */
  readonly attempt: number;
  /** How many more than one the policy allows. */
  readonly retries: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** From 0 up to 1, without 1: spreads those that failed together. */
  readonly random: number;
  /** ms since the epoch: somebody asked not to be asked earlier. */
  readonly not_before?: number;
}

/** Milliseconds since the epoch; null: retries are spent. */
export const nextTryAt = ({ attempt, retries, now, random, not_before = now }: Tried): number | null => {
  if (attempt > retries) return null;
  const wait = Math.min(longestWait_ms, firstWait_ms * 2 ** (attempt - 1));
  const share = 0.5 + random / 2;
  return Math.max(now, not_before) + Math.round(wait * share);
};

/** ms that all waits of so many retries last at most. */
export const longestWaits_ms = (retries: number): number => {
  let sum = 0;
  for (let attempt = 1; attempt <= retries; attempt += 1)
    sum += Math.min(longestWait_ms, firstWait_ms * 2 ** (attempt - 1));
  return sum;
};

/** From 0 up to 1, without 1, of 32 random bits. */
export const randomShare = (randomBytes: (size: number) => Uint8Array): number =>
  Buffer.from(randomBytes(4)).readUInt32BE() / 2 ** 32;
