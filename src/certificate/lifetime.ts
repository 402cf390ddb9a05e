/** How long certificates live, and when one may be renewed. */
import { z } from 'zod';

export const day_ms = 86_400_000;
export const defaultLifetime_days = 90;
export const longestLifetime_days = 397;
export const serverLifetime_days = 90;

/** A certificate is valid from this long before it is issued: verifiers' clocks differ. */
export const backdate_ms = 60_000;

export const lifetimeSchema = z
  .number('must be a whole number of days')
  .int('must be a whole number of days')
  .min(1, `must be 1 to ${longestLifetime_days} days`)
  .max(longestLifetime_days, `must be 1 to ${longestLifetime_days} days`);

export interface Validity {
  readonly issued_at: number;
  /** A whole second, as a certificate can say it. */
  readonly expires_at: number;
}

const wholeSecond = (ms: number): number => Math.floor(ms / 1000) * 1000;

/** From now (ms) for `lifetime_ms`, a whole number of seconds. */
export const validityFrom = (now: number, lifetime_ms: number): Validity => ({
  issued_at: now,
  expires_at: wholeSecond(now) + lifetime_ms,
});

/** What `validityFrom` was given, in ms. */
export const lifetimeOf = ({ issued_at, expires_at }: Validity): number => expires_at - wholeSecond(issued_at);

/** Renewal opens with the last third of a certificate's lifetime. Milliseconds since the epoch. */
export const renewalOpens = (validity: Validity): number => Math.ceil(validity.expires_at - lifetimeOf(validity) / 3);
