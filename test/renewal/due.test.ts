/** When a certificate is renewed by its policy. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginsAt, dueAt, latestBegin, longestRenewal_ms, type Served } from '../../src/renewal/due.ts';
import { policyWith } from './policy.ts';

const day = 86_400_000;
const now = Date.parse('2026-11-23T10:00:00Z');
const served = (days: number, more: Partial<Served> = {}): Served => ({
  endpoint_id: 'web-1',
  fingerprint: 'ab',
  not_before: now,
  not_after: now + days * day,
  ...more,
});

describe('a renewal is due', () => {
  it.each([
    ['47-day', 47, 10],
    ['100-day', 100, 20],
    ['200-day', 200, 30],
    ['mtls', 365, 30],
  ])('by %s in the first tenth, or the first day, of the window before the end', (preset, days, window) => {
    const opens = now + (days - window) * day;
    const due = dueAt(policyWith({ preset }), served(days));
    expect(due).toBeGreaterThanOrEqual(opens);
    expect(due).toBeLessThan(opens + Math.min(day, (window * day) / 10));
  });
  it('always at the same instant for the same certificate, and spread over endpoints', () => {
    const policy = policyWith();
    expect(dueAt(policy, served(47))).toBe(dueAt(policy, served(47)));
    const spread = Array.from({ length: 200 }, (_, n) => dueAt(policy, served(47, { endpoint_id: `web-${n}` })));
    expect(new Set(spread).size).toBeGreaterThan(190);
    const middle = now + 37 * day + day / 2;
    expect(spread.filter((due) => due < middle).length).toBeGreaterThan(60);
    expect(spread.filter((due) => due < middle).length).toBeLessThan(140);
  });
  it('within a window that shrinks with a certificate that lasts less than was asked for', () => {
    const due = dueAt(policyWith(), served(6));
    expect(due).toBeGreaterThanOrEqual(now + (6 - 60 / 47) * day - 1);
    expect(due).toBeLessThan(now + 6 * day);
  });
});

describe('beginning', () => {
  const policy = policyWith({ maintenance_windows: [{ days: ['sun'], from: '02:00', to: '04:00' }] });
  const due = dueAt(policy, served(47));

  it('is not before it is due', () => {
    expect(beginsAt(policy, served(47), due - 1)).toBeNull();
  });
  it('waits for a maintenance window', () => {
    const begins = beginsAt(policy, served(47), due) ?? Number.NaN;
    expect(new Date(begins).toISOString()).toMatch(/T02:00:00.000Z$/);
    expect(new Date(begins).getUTCDay()).toBe(0);
  });
  it('is at once without windows, where the certificate could lapse, and where it has', () => {
    expect(beginsAt(policyWith(), served(47), due)).toBe(due);
    const late = latestBegin(policy, served(47));
    expect(beginsAt(policy, served(47), late + 1)).toBe(late + 1);
    expect(beginsAt(policy, served(47), now + 50 * day)).toBe(now + 50 * day);
  });
  it('leaves time for every retry, yet never takes more than half the window for it', () => {
    const quick = policyWith({ retries: 1, timeouts_seconds: { csr: 60, challenge: 60, deploy: 60, validate: 60 } });
    expect(longestRenewal_ms(quick)).toBe(2 * 5 * 60_000 + 30_000);
    expect(latestBegin(quick, served(47))).toBe(now + 47 * day - longestRenewal_ms(quick));
    const slow = policyWith({
      retries: 10,
      timeouts_seconds: { csr: 86_400, challenge: 5, deploy: 86_400, validate: 5 },
    });
    expect(latestBegin(slow, served(47))).toBe(now + 42 * day);
  });
  it('never lets a certificate lapse, whatever the windows are', () => {
    const clock = fc.constantFrom('00:00', '03:30', '12:00', '23:59');
    const windows = fc.array(fc.record({ days: fc.constant<'wed'[]>(['wed']), from: clock, to: clock }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(windows, fc.integer({ min: 1, max: 60 }), fc.nat(50 * 24), (maintenance_windows, lasts, hours) => {
        const some = policyWith({ maintenance_windows });
        const at = now + hours * 3_600_000;
        const begins = beginsAt(some, served(lasts), at);
        if (begins === null) expect(dueAt(some, served(lasts))).toBeGreaterThan(at);
        else if (begins !== at) expect(begins).toBeLessThanOrEqual(latestBegin(some, served(lasts)));
      }),
    );
  });
});
