/** Maintenance windows: when a policy allows a renewal to begin, in UTC. */
import { z } from 'zod';
import { day_ms } from '../certificate/lifetime.ts';

/** As JavaScript counts them. */
export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

const minute_ms = 60_000;
const time = (grammar: RegExp) => z.string().regex(grammar, 'must be a time of day in UTC like 02:30');
const clock = /^(?:[01]\d|2[0-3]):[0-5]\d$/;
const clockOrMidnight = /^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/;

/** On each of `days`, from `from` until `to`, which is on the day after where it is not later than `from`. */
export const maintenanceWindowSchema = z.strictObject({
  days: z
    .array(z.enum(weekdays, `must be one of ${weekdays.join(', ')}`))
    .min(1, 'must name a day')
    .max(7, 'must name each day once')
    .refine((days) => new Set(days).size === days.length, 'must name each day once'),
  from: time(clock),
  to: time(clockOrMidnight),
});
export type MaintenanceWindow = z.infer<typeof maintenanceWindowSchema>;

const sinceMidnight_ms = (text: string): number => (Number(text.slice(0, 2)) * 60 + Number(text.slice(3))) * minute_ms;

interface Span {
  readonly begins: number;
  readonly ends: number;
}

/** Every opening from the day before `at` (ms) to a week after it: all that can hold `at`, and the next of each. */
const spansAround = (windows: readonly MaintenanceWindow[], at: number): Span[] => {
  const today = Math.floor(at / day_ms) * day_ms;
  return windows.flatMap(({ days, from, to }) => {
    const begins = sinceMidnight_ms(from);
    const ends = sinceMidnight_ms(to);
    const lasts = ends > begins ? ends - begins : ends + day_ms - begins;
    return Array.from({ length: 9 }, (_, index) => today + (index - 1) * day_ms)
      .filter((day) => days.some((name) => weekdays.indexOf(name) === new Date(day).getUTCDay()))
      .map((day) => ({ begins: day + begins, ends: day + begins + lasts }));
  });
};

/** Whether `at` (ms) is inside a window; always where there is none. A window holds its first instant, not its last. */
export const isOpen = (windows: readonly MaintenanceWindow[], at: number): boolean =>
  windows.length === 0 || spansAround(windows, at).some(({ begins, ends }) => begins <= at && at < ends);

/** The first instant (ms) from `at` on that is inside a window: `at` itself where it is. */
export const opensAt = (windows: readonly MaintenanceWindow[], at: number): number =>
  isOpen(windows, at)
    ? at
    : Math.min(...spansAround(windows, at).flatMap(({ begins }) => (begins > at ? [begins] : [])));

/**
 * When a renewal that is due may begin (ms): now, or when the next window opens; now, too, where that would be later
 * than `latest`, after which the certificate could lapse before it is replaced.
 */
export const mayBeginAt = (
  windows: readonly MaintenanceWindow[],
  { now, latest }: { readonly now: number; readonly latest: number },
): number => {
  const opens = opensAt(windows, now);
  return opens <= latest ? opens : now;
};
