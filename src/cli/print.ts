/** What commands print: the runbook's lines, plain tables, JSON. */
import { unprintable } from '../access/reason.ts';

/** ISO 8601 in UTC without milliseconds, as the runbook shows dates. */
export const date = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** Text that others wrote, without what could move a terminal's cursor or break a line. */
export const clean = (text: string): string => text.replace(unprintable, '\ufffd');

/** `Label: value` lines; what is undefined is left out. */
export const lines = (rows: readonly (readonly [label: string, value: string | undefined])[]): string =>
  rows.flatMap(([label, value]) => (value === undefined ? [] : [`${label}: ${clean(value)}\n`])).join('');

/** Columns padded to their widest cell; two spaces between. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const all = [head, ...rows].map((row) => row.map(clean));
  const widths = head.map((_, column) => Math.max(...all.map((row) => [...(row[column] ?? '')].length)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
};

const escaped = (one: string): string => (one === '\n' ? one : `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Loses nothing: what could move a cursor stands in strings only, and is escaped there. */
export const json = (value: unknown): string => `${JSON.stringify(value, null, 2).replace(unprintable, escaped)}\n`;

/** The same on one line. */
export const jsonLine = (value: unknown): string => `${JSON.stringify(value).replace(unprintable, escaped)}\n`;
