/** The CA/Browser Forum's calendar: what is refused on which day, and what is warned about. */
import { describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/errors.ts';
import { checkCalendar, longestPublic_days } from '../../src/renewal/calendar.ts';

const at = (text: string): number => Date.parse(text);

it.each([
  ['2026-03-14T23:59:59.999Z', 398],
  ['2026-03-15T00:00:00Z', 200],
  ['2027-03-14T23:59:59.999Z', 200],
  ['2027-03-15T00:00:00Z', 100],
  ['2029-03-14T23:59:59.999Z', 100],
  ['2029-03-15T00:00:00Z', 47],
  ['2040-01-01T00:00:00Z', 47],
])('a public certificate issued at %s may last %i days', (day, longest) => {
  expect(longestPublic_days(at(day))).toBe(longest);
  expect(() => checkCalendar(longest, at(day))).not.toThrow();
  expect(() => checkCalendar(longest + 1, at(day))).toThrow(InvalidInput);
});

it('counts days in UTC, wherever the one who asks is', () => {
  expect(longestPublic_days(at('2027-03-15T00:30:00+02:00'))).toBe(200);
  expect(longestPublic_days(at('2027-03-14T20:00:00-05:00'))).toBe(100);
});

describe('a lifetime', () => {
  it('that is too long is refused by the name of the step, its day and its limit', () => {
    expect(() => checkCalendar(200, at('2027-04-01'))).toThrow(/^100-day-limit: .*2027-03-15.* 100 days, not 200/);
    try {
      checkCalendar(200, at('2027-04-01'), 'policy_id');
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ name: 'InvalidInput', field: 'policy_id' });
    }
  });
  it('that later steps outlaw is warned about, the next one first', () => {
    expect(checkCalendar(200, at('2026-11-23'))).toEqual([
      {
        name: '100-day-limit',
        longest_days: 100,
        from: at('2027-03-15'),
        message: expect.stringMatching(/^100-day-limit: .*2027-03-15.* 100 days, not 200$/),
      },
      {
        name: '47-day-limit',
        longest_days: 47,
        from: at('2029-03-15'),
        message: expect.stringContaining('2029-03-15'),
      },
    ]);
    expect(checkCalendar(100, at('2026-11-23')).map(({ name }) => name)).toEqual(['47-day-limit']);
    expect(checkCalendar(47, at('2026-11-23'))).toEqual([]);
    expect(checkCalendar(100, at('2027-03-15')).map(({ name }) => name)).toEqual(['47-day-limit']);
    expect(checkCalendar(47, at('2029-03-15'))).toEqual([]);
  });
});
