/** When a failed renewal is tried again: later and later, spread, and no more than the policy allows. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longestWait_ms, longestWaits_ms, nextTryAt, randomShare } from '../../src/renewal/retry.ts';

const now = 1_000_000;

describe('the next try', () => {
  it.each([
    [1, 15_000, 30_000],
    [2, 30_000, 60_000],
    [3, 60_000, 120_000],
    [10, 7_680_000, 15_360_000],
  ])('after attempt %i is between %i and %i ms away', (attempt, least, most) => {
    expect(nextTryAt({ attempt, retries: 10, now, random: 0 })).toBe(now + least);
    const latest = nextTryAt({ attempt, retries: 10, now, random: 1 - 2 ** -32 });
    expect(latest).toBeLessThanOrEqual(now + most);
    expect(latest).toBeGreaterThan(now + most - 10);
  });
  it('is none when the retries are spent', () => {
    expect(nextTryAt({ attempt: 1, retries: 0, now, random: 0.5 })).toBeNull();
    expect(nextTryAt({ attempt: 3, retries: 3, now, random: 0.5 })).not.toBeNull();
    expect(nextTryAt({ attempt: 4, retries: 3, now, random: 0.5 })).toBeNull();
  });
  it('is not before a CA wants to be asked again', () => {
    expect(nextTryAt({ attempt: 1, retries: 1, now, random: 0, not_before: now + 3_600_000 })).toBe(now + 3_615_000);
    expect(nextTryAt({ attempt: 1, retries: 1, now, random: 0, not_before: 5 })).toBe(now + 15_000);
  });
  it('is never more than six hours away, and all together never later than said', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 60 }),
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 61, maxLength: 61 }),
        (retries, randoms) => {
          let at = now;
          for (let attempt = 1; attempt <= retries; attempt += 1) {
            const next = nextTryAt({ attempt, retries, now: at, random: randoms[attempt] ?? 0 }) ?? Number.NaN;
            expect(next - at).toBeGreaterThanOrEqual(15_000);
            expect(next - at).toBeLessThanOrEqual(longestWait_ms);
            at = next;
          }
          expect(at - now).toBeLessThanOrEqual(longestWaits_ms(retries));
        },
      ),
    );
  });
});

it('shares are spread from 0 up to 1, without 1', () => {
  expect(randomShare((size) => new Uint8Array(size))).toBe(0);
  expect(randomShare((size) => new Uint8Array(size).fill(255))).toBeLessThan(1);
  const shares = Array.from({ length: 400 }, () => randomShare((size) => randomBytes(size)));
  expect(shares.filter((share) => share < 0.5).length).toBeGreaterThan(120);
  expect(shares.filter((share) => share < 0.5).length).toBeLessThan(280);
});
