/** `npm run bench` lists the benchmarks; `npm run bench -- <name> [--json] [--<size> <number>]` runs one and exits 1 where a limit is exceeded. */
import { type Bench, exceedsLimit, type Limit, type Measurement, ratioOf } from './bench.ts';

/** A new benchmark is one more line here. */
const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  audit: async () => (await import('./audit.ts')).audit,
  authorizer: async () => (await import('./authorizer.ts')).authorizer,
  enforcement: async () => (await import('./enforcement.ts')).enforcement,
};

const round = (value: number): number => Number(value.toPrecision(4));

/** What `--json` prints of a measurement. */
const asRow = (bench: string, measurement: Measurement) => {
  const { metric, value, unit, reference, reference_value } = measurement;
  const ratio = ratioOf(measurement);
  return {
    bench,
    metric,
    value: round(value),
    unit,
    reference,
    reference_value: reference_value === null ? null : round(reference_value),
    ratio: ratio === null ? null : round(ratio),
  };
};

const said = ({ of, least, most }: Limit): string =>
  most === Number.POSITIVE_INFINITY
    ? `${of} >= ${least ?? 0}`
    : `${of} ${least === undefined ? '<=' : least === most ? '=' : `${least} to`} ${most}`;

const printTable = (measurements: readonly Measurement[]): void => {
  const lines = [
    ['metric', 'value', 'unit', 'reference', 'its value', 'ratio', 'limit'],
    ...measurements.map((one) => {
      const row = asRow('', one);
      const limit = one.limit && `${said(one.limit)}${exceedsLimit(one) ? ' EXCEEDED' : ''}`;
      return [row.metric, row.value, row.unit, row.reference, row.reference_value, row.ratio, limit].map(
        (cell) => `${cell ?? '-'}`,
      );
    }),
  ];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
};

/** Sizes named on the command line over the defaults; throws what is wrong with them. */
const sizesFrom = (words: readonly string[], defaults: Bench['sizes']): Record<string, number> => {
  const sizes = { ...defaults };
  for (let index = 0; index < words.length; index += 2) {
    const name = words[index]?.replace(/^--/, '') ?? '';
    const value = Number(words[index + 1]);
    if (!Object.hasOwn(defaults, name))
      throw new Error(`no size ${words[index]}; there are ${Object.keys(defaults).map((one) => `--${one}`)}`);
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} needs a whole number from 1`);
    sizes[name] = value;
  }
  return sizes;
};

const main = async (words: readonly string[]): Promise<number> => {
  const json = words.includes('--json');
  const [name, ...rest] = words.filter((word) => word !== '--json');
  if (name === undefined) {
    for (const [known, load] of Object.entries(benches)) {
      const { about, sizes } = await load();
      const options = Object.entries(sizes).map(([size, value]) => `--${size} ${value}`);
      console.log(`${known.padEnd(14)}${about}\n${''.padEnd(14)}${options.join(' ')}`);
    }
    return 0;
  }
  const load = Object.hasOwn(benches, name) ? benches[name] : undefined;
  if (!load) {
    console.error(`no benchmark ${name}; there are: ${Object.keys(benches).join(', ')}`);
    return 2;
  }
  const bench = await load();
  let sizes: Record<string, number>;
  try {
    sizes = sizesFrom(rest, bench.sizes);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
  const progress = (line: string): void => {
    if (process.stderr.isTTY) console.error(line);
  };
  const measurements = await bench.run(sizes, progress);
  if (json) for (const measurement of measurements) console.log(JSON.stringify(asRow(name, measurement)));
  else printTable(measurements);
  const exceeded = measurements.filter(exceedsLimit);
  for (const { metric } of exceeded) console.error(`limit exceeded: ${metric}`);
  return exceeded.length > 0 ? 1 : 0;
};

process.exitCode = await main(process.argv.slice(2));
