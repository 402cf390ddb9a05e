/** How long a public certificate may last at most, by the day on which it is issued: CA/Browser Forum, ballot SC-081v3. */
import { InvalidInput } from '../errors.ts';

interface Step {
  /** The first day (UTC) on which it holds. */
  readonly from: string;
  readonly longest_days: number;
}

/** The oldest last. */
const steps = [
  { from: '2029-03-15', longest_days: 47 },
  { from: '2027-03-15', longest_days: 100 },
  { from: '2026-03-15', longest_days: 200 },
] as const satisfies readonly Step[];
/** Before the first of them. */
const before: Step = { from: '2020-09-01', longest_days: 398 };

export interface CalendarWarning {
  /** `47-day-limit`, `100-day-limit`, `200-day-limit` */
  readonly name: string;
  readonly longest_days: number;
  /** From when on it is refused, ms since the epoch. */
  readonly from: number;
  readonly message: string;
}

/** The step in force on the day of `at`, ms since the epoch. */
const inForce = (at: number): Step => steps.find(({ from }) => at >= Date.parse(from)) ?? before;

/** Days that a public certificate issued at `at` (ms) may last. */
export const longestPublic_days = (at: number): number => inForce(at).longest_days;

const nameOf = ({ longest_days }: Step): string => `${longest_days}-day-limit`;

const says = (step: Step, lifetime_days: number): string =>
  `${nameOf(step)}: by the CA/Browser Forum's calendar a public certificate that is issued from ${step.from} on may last at most ${step.longest_days} days, not ${lifetime_days}`;

/**
 * Refuses a lifetime that no public CA may issue on the day of `at` (ms), and says which later steps will outlaw it, the
 * next one first. For public certificates only: a private CA is not bound by the calendar. @throws InvalidInput
 */
export const checkCalendar = (lifetime_days: number, at: number, field = 'lifetime_days'): CalendarWarning[] => {
  const now = inForce(at);
  if (lifetime_days > now.longest_days) throw new InvalidInput(field, says(now, lifetime_days));
  return steps
    .filter((step) => Date.parse(step.from) > at && lifetime_days > step.longest_days)
    .map((step) => ({
      name: nameOf(step),
      longest_days: step.longest_days,
      from: Date.parse(step.from),
      message: says(step, lifetime_days),
    }))
    .reverse();
};
