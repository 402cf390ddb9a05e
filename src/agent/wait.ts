/** How long the agent waits before it asks again; pure. Milliseconds; `random` is from 0 up to 1. */

/** A server that asks for less or more than this is not followed to the end. */
const shortestPoll = 2_000;
const longestPoll = 86_400_000;
const longestRetryAfter = 3_600_000;

const firstBackoff = 5_000;
const longestBackoff = 900_000;

/** ± 20 %, so that a fleet that started together does not ask together. */
const jitter = 0.2;
const spread = (ms: number, random: number): number => Math.round(ms * (1 + jitter * (2 * random - 1)));

/** Until the next heartbeat, as the server asked. */
export const pollAfter = (poll_after_seconds: number, random: number): number =>
  spread(Math.min(Math.max(poll_after_seconds * 1000 || 0, shortestPoll), longestPoll), random);

/** After so many failures in a row: doubling from 5 s up to 15 min, and never before the server's Retry-After. */
export const backoff = (failures: number, retry_after_ms: number | null, random: number): number => {
  const doubled = Math.min(firstBackoff * 2 ** Math.max(0, failures - 1), longestBackoff);
  const asked = Math.min(retry_after_ms ?? 0, longestRetryAfter);
  return asked === 0
    ? spread(doubled, random)
    : Math.max(spread(doubled, random), Math.round(asked * (1 + jitter * random)));
};

/** RFC 9110 10.2.3: seconds, or a date; null where it is neither. */
export const parseRetryAfter = (header: string | undefined, now: number): number | null => {
  if (header === undefined) return null;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
};
