/** From when on: as a person types it, and as a query string carries it. */
import { z } from 'zod';

/** Either so long ago or at a moment (ms since the epoch); which moment that is stands when it is used. */
export type Since = { readonly ago_ms: number } | { readonly at_ms: number };

const message =
  'must be a time ago like 30m, 24h or 7d, a time like 2024-12-25T10:30:00Z or 2024-12-25, or milliseconds since 1970';
const units = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** ms: the last moment that a JavaScript date has. */
const latest = 8.64e15;

/** From 1973 on: fewer digits are seconds, or a number of hours whose unit was forgotten. */
const milliseconds = /^\d{12,16}$/;
const moment = z.union([
  z.iso.datetime({ offset: true }),
  z.iso.datetime({ offset: true, precision: -1 }),
  z.iso.date(),
]);

const parse = (text: string): Since | null => {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (unit === 'm' || unit === 'h' || unit === 'd') {
    const ago_ms = Number(count) * units[unit];
    return ago_ms > 0 ? { ago_ms } : null;
  }
  const isMoment = moment.safeParse(text).success;
  const at_ms = milliseconds.test(text) ? Number(text) : isMoment ? Date.parse(text) : Number.NaN;
  return at_ms <= latest ? { at_ms } : null;
};

/** `30m`, `24h`, `7d`, ISO 8601 with a zone, a day (UTC), or ms since the epoch. */
export const sinceSchema: z.ZodType<Since, string> = z.string().transform((text, context) => {
  const since = parse(text);
  if (since !== null) return since;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

/** ms since the epoch. */
export const sinceTime = (since: Since, now: number): number => ('at_ms' in since ? since.at_ms : now - since.ago_ms);
