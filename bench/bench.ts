/** What a benchmark is and what it measures: every figure stands beside a reference measured in the same run. */

/** What a measurement promises: its value or its ratio, from `least` (where given) to `most`. */
export interface Limit {
  readonly of: 'value' | 'ratio';
  readonly least?: number;
  readonly most: number;
}

/** One figure. `ratio` = value / reference_value, where there is a reference. */
export interface Measurement {
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with; null where the figure stands for itself. */
  readonly reference: string | null;
  readonly reference_value: number | null;
  /** Where it is exceeded, the run fails. */
  readonly limit?: Limit;
}

export const ratioOf = ({ value, reference_value }: Measurement): number | null =>
  reference_value === null ? null : value / reference_value;

/** What is no number, such as a ratio to nothing, keeps no limit. */
export const exceedsLimit = (measurement: Measurement): boolean => {
  const { limit } = measurement;
  if (!limit) return false;
  const found = (limit.of === 'value' ? measurement.value : ratioOf(measurement)) ?? Number.NaN;
  return !(found >= (limit.least ?? 0) && found <= limit.most);
};

export interface Bench {
  /** One sentence for the list. */
  readonly about: string;
  /** Sizes with their defaults, each a `--<name> <number>` on the command line. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Measures; `progress` takes a line for whoever is waiting. */
  readonly run: (
    sizes: Readonly<Record<string, number>>,
    progress: (line: string) => void,
  ) => Promise<readonly Measurement[]>;
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return sorted.length % 2 ? at(Math.floor(middle)) : (at(middle - 1) + at(middle)) / 2;
};
