/** Maintenance windows: what is inside, when the next one opens, and that none lets a certificate lapse. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isOpen,
  type MaintenanceWindow,
  maintenanceWindowSchema,
  mayBeginAt,
  opensAt,
  weekdays,
} from '../../src/renewal/maintenance.ts';

/** 2026-11-23 is a Monday. */
const at = (text: string): number => Date.parse(`2026-11-${text}Z`);
const nights: MaintenanceWindow[] = [{ days: ['sat', 'sun'], from: '23:00', to: '02:00' }];
const noon: MaintenanceWindow[] = [{ days: ['mon'], from: '12:00', to: '13:00' }];

describe('a window', () => {
  it.each([
    ['23T11:59:59.999', false],
    ['23T12:00', true],
    ['23T12:59:59.999', true],
    ['23T13:00', false],
    ['24T12:30', false],
    ['30T12:30', true],
  ])('on mondays at noon, at %s: %s', (text, open) => {
    expect(isOpen(noon, at(text))).toBe(open);
  });
  it.each([
    ['28T22:59', false],
    ['28T23:00', true],
    ['29T01:59', true],
    ['29T02:00', false],
    ['29T23:30', true],
    ['30T01:30', true],
    ['30T23:30', false],
    ['28T01:30', false],
  ])('past midnight belongs to the day on which it begins, at %s: %s', (text, open) => {
    expect(isOpen(nights, at(text))).toBe(open);
  });
  it('from a time to the same time is a whole day, and 24:00 is its end', () => {
    const whole: MaintenanceWindow[] = [{ days: ['tue'], from: '06:00', to: '06:00' }];
    expect([at('24T05:59'), at('24T06:00'), at('25T05:59'), at('25T06:00')].map((one) => isOpen(whole, one))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    const day: MaintenanceWindow[] = [{ days: ['tue'], from: '00:00', to: '24:00' }];
    expect([at('23T23:59'), at('24T00:00'), at('24T23:59'), at('25T00:00')].map((one) => isOpen(day, one))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });
  it('is always open where there is none', () => {
    expect(isOpen([], at('23T00:00'))).toBe(true);
    expect(opensAt([], 5)).toBe(5);
  });
});

describe('the next opening', () => {
  it.each([
    [noon, '23T11:00', '23T12:00'],
    [noon, '23T12:30', '23T12:30'],
    [noon, '23T13:00', '30T12:00'],
    [nights, '23T09:00', '28T23:00'],
    [nights, '29T03:00', '29T23:00'],
    [[...noon, ...nights], '23T13:00', '28T23:00'],
  ])('%j at %s is at %s', (windows, now, opens) => {
    expect(opensAt(windows, at(now))).toBe(at(opens));
  });

  const clock = fc
    .record({ hours: fc.integer({ min: 0, max: 23 }), minutes: fc.integer({ min: 0, max: 59 }) })
    .map(({ hours, minutes }) => `${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`);
  const windows = fc.array(
    fc.record({
      days: fc.uniqueArray(fc.constantFrom(...weekdays), { minLength: 1, maxLength: 7 }),
      from: clock,
      to: clock,
    }),
    { minLength: 1, maxLength: 4 },
  );
  it('is open, and nothing between now and it is', () => {
    fc.assert(
      fc.property(windows, fc.integer({ min: 0, max: 60 * 24 * 14 }), (some, minutes) => {
        const now = at('01T00:00') + minutes * 60_000;
        const opens = opensAt(some, now);
        expect(isOpen(some, opens)).toBe(true);
        if (opens === now) return;
        expect(isOpen(some, opens - 1)).toBe(false);
        for (let between = now; between < opens; between += 17 * 60_000) expect(isOpen(some, between)).toBe(false);
      }),
    );
  });
});

describe('what is due', () => {
  it('waits for the next window', () => {
    expect(mayBeginAt(noon, { now: at('23T13:00'), latest: at('30T12:00') })).toBe(at('30T12:00'));
  });
  it('begins at once inside a window, and where waiting could let the certificate lapse', () => {
    expect(mayBeginAt(noon, { now: at('23T12:10'), latest: 0 })).toBe(at('23T12:10'));
    expect(mayBeginAt(noon, { now: at('23T13:00'), latest: at('30T11:59') })).toBe(at('23T13:00'));
  });
});

it.each([
  { days: [], from: '01:00', to: '02:00' },
  { days: ['monday'], from: '01:00', to: '02:00' },
  { days: ['mon', 'mon'], from: '01:00', to: '02:00' },
  { days: ['mon'], from: '24:00', to: '02:00' },
  { days: ['mon'], from: '1:00', to: '02:00' },
  { days: ['mon'], from: '01:60', to: '02:00' },
  { days: ['mon'], from: '01:00', to: '25:00' },
  { days: ['mon'], from: '01:00', to: '02:00', zone: 'CET' },
])('no window is %j', (window) => {
  expect(maintenanceWindowSchema.safeParse(window).success).toBe(false);
});
