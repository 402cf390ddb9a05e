import { describe, expect, it } from 'vitest';
import { sinceSchema, sinceTime } from '../../src/audit/since.ts';

const now = Date.parse('2024-12-25T10:30:00Z');
const parse = (text: string) => {
  const { data } = sinceSchema.safeParse(text);
  return data === undefined ? null : sinceTime(data, now);
};

describe('since', () => {
  it.each([
    ['30m', now - 1_800_000],
    ['24h', now - 86_400_000],
    ['7d', now - 604_800_000],
    ['2024-12-25', Date.parse('2024-12-25T00:00:00Z')],
    ['2024-12-25T09:00:00Z', Date.parse('2024-12-25T09:00:00Z')],
    ['2024-12-25T09:00Z', Date.parse('2024-12-25T09:00:00Z')],
    ['2024-12-25T09:00:00.250+02:00', Date.parse('2024-12-25T07:00:00.250Z')],
    ['1735122600000', 1_735_122_600_000],
  ])('%s is a moment', (text, expected) => {
    expect(parse(text)).toBe(expected);
  });
  it.each([
    '',
    '0h',
    '-1h',
    '1.5h',
    '24',
    '1735122600',
    '24H',
    '24 h',
    '1w',
    '1h30m',
    'yesterday',
    '2024-02-30',
    '2023-02-29T00:00:00Z',
    '2024-12-25T25:00:00Z',
    '2024-12-25T09:00:00',
    '2024-12-25 09:00:00Z',
    '9999999999999999',
    '1e12',
    'Infinity',
  ])('%j is refused, with what it may be', (text) => {
    expect(sinceSchema.safeParse(text).error?.issues[0]?.message).toMatch(/24h.*2024-12-25T10:30:00Z/);
  });
});
