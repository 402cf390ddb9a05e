/** How long the agent waits: as asked, spread over the fleet, politely when the server is in trouble. */
import { describe, expect, it } from 'vitest';
import { backoff, parseRetryAfter, pollAfter } from '../../src/agent/wait.ts';

const lowest = 0;
const highest = 0.999_999;

describe('the next heartbeat', () => {
  it('comes as the server asked, give or take a fifth', () => {
    expect([pollAfter(900, lowest), pollAfter(900, 0.5), pollAfter(900, highest)]).toEqual([
      720_000, 900_000, 1_080_000,
    ]);
  });
  it.each([0, -5, Number.NaN])('is never asked for at once (%d)', (seconds) => {
    expect(pollAfter(seconds, lowest)).toBeGreaterThanOrEqual(1_600);
  });
  it('comes within about a day, whatever the server says', () => {
    expect(pollAfter(1e12, highest)).toBeLessThan(30 * 3_600_000);
  });
});

describe('after failures', () => {
  it('the wait doubles up to a quarter of an hour', () => {
    const waits = Array.from({ length: 12 }, (_, index) => backoff(index + 1, null, 0.5));
    expect(waits.slice(0, 4)).toEqual([5_000, 10_000, 20_000, 40_000]);
    expect(waits.at(-1)).toBe(900_000);
  });
  it('the fleet does not come back together', () => {
    expect(backoff(20, null, lowest)).toBe(720_000);
    expect(backoff(20, null, highest)).toBe(1_080_000);
  });
  it('Retry-After is never undercut, and a lying one ends within about an hour', () => {
    for (const random of [lowest, 0.5, highest]) expect(backoff(1, 120_000, random)).toBeGreaterThanOrEqual(120_000);
    expect(backoff(1, 1e12, highest)).toBeLessThanOrEqual(1.2 * 3_600_000);
  });
});

it.each([
  ['120', 120_000],
  ['Mon, 23 Nov 2026 10:00:30 GMT', 30_000],
  ['Mon, 23 Nov 2026 09:00:00 GMT', 0],
  ['soon', null],
  [undefined, null],
])('reads Retry-After: %s', (header, expected) => {
  expect(parseRetryAfter(header, Date.parse('2026-11-23T10:00:00Z'))).toBe(expected);
});
