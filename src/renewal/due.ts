/** When a certificate is to be renewed, by its policy. */
import { createHash } from 'node:crypto';
import { day_ms } from '../certificate/lifetime.ts';
import { mayBeginAt } from './maintenance.ts';
import type { Policy } from './policy.ts';
import { longestWaits_ms } from './retry.ts';

export interface Served {
  readonly endpoint_id: string;
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string;
  /** Milliseconds since the epoch. */
  readonly not_before: number;
  readonly not_after: number;
}

/** The share of the renewal window over which those spread that were issued together. */
const jitterShare = 0.1;
const longestJitter_ms = day_ms;

/** ms of the renewal window. A CA may give less than the policy asks for; the window shrinks with it. */
const window_ms = (policy: Policy, { not_before, not_after }: Served): number => {
  const lasts = Math.max(0, not_after - not_before);
  const asked = policy.lifetime_days * day_ms;
  return Math.round(policy.renewal_window_days * day_ms * Math.min(1, lasts / asked));
};

/** From 0 up to 1, without 1: the same for the same certificate of the same endpoint. */
const shareOf = ({ endpoint_id, fingerprint }: Served): number =>
  createHash('sha256')
    .update(JSON.stringify([endpoint_id, fingerprint]))
    .digest()
    .readUInt32BE() /
  2 ** 32;

/** When its renewal is due, ms since the epoch: at the beginning of its window, or a little later, always alike. */
export const dueAt = (policy: Policy, served: Served): number => {
  const window = window_ms(policy, served);
  const jitter = Math.min(longestJitter_ms, window * jitterShare);
  return served.not_after - window + Math.floor(jitter * shareOf(served));
};

/** ms that a renewal with all its retries lasts at most. */
export const longestRenewal_ms = ({
  retries,
  timeouts_seconds: { csr, challenge, deploy, validate },
}: Policy): number =>
  // The previous certificate is put back in as long as a deployment may take.
  (retries + 1) * (csr + challenge + 2 * deploy + validate) * 1_000 + longestWaits_ms(retries);

/** The last instant (ms) to begin at so that all retries fit in before the certificate ends; never before half its window is over. */
export const latestBegin = (policy: Policy, served: Served): number =>
  served.not_after - Math.min(longestRenewal_ms(policy), window_ms(policy, served) / 2);

/** null: not yet due. Else when it may begin by the policy's maintenance windows, ms: `now` is at once. */
export const beginsAt = (policy: Policy, served: Served, now: number): number | null =>
  dueAt(policy, served) > now
    ? null
    : mayBeginAt(policy.maintenance_windows, { now, latest: latestBegin(policy, served) });
