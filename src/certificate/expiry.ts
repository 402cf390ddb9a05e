/** Buckets of the index by expiry: a UTC day and a shard, so that what expires soon is read and nothing else. */
import { day_ms } from './lifetime.ts';

export const expiryShards = 4;

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** `YYYY-MM-DD#<shard>`: the day of `expires_at` (ms), the shard by the serial's last digit. */
export const expiryBucket = (expires_at: number, serial_number: string): string =>
  `${dayOf(expires_at)}#${Number.parseInt(serial_number.slice(-1), 16) % expiryShards}`;

/** Every bucket that holds something which expires from `from` to `to` (ms, both inclusive), earliest day first. */
export const expiryBuckets = (from: number, to: number): string[] => {
  const buckets: string[] = [];
  for (let day = Math.floor(from / day_ms) * day_ms; day <= to; day += day_ms)
    for (let shard = 0; shard < expiryShards; shard += 1) buckets.push(`${dayOf(day)}#${shard}`);
  return buckets;
};
