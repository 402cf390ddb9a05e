/** A stage's throttle: a token bucket, `burst` deep, filled `ratePerSecond` times a second. */

/** Whether a request at this time (ms) may pass. */
export const tokenBucket = ({
  ratePerSecond,
  burst,
}: {
  readonly ratePerSecond: number;
  readonly burst: number;
}): ((now: number) => boolean) => {
  let tokens = burst;
  let filledAt = 0;
  return (now) => {
    tokens = Math.min(burst, tokens + (Math.max(0, now - filledAt) / 1000) * ratePerSecond);
    filledAt = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
};
