/** Runs in a fresh process of its own: loads a bundle, measures it, and writes what it found as JSON to file descriptor 3. */
import { readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';

type Handler = (event: unknown) => Promise<{ policyDocument: { Statement: { Effect: string }[] } }>;

const [, script = '', mode = '', bundle = '', side = '', fixtureFile = '', count = '0'] = process.argv;
const load = createRequire(script);
const fixture = JSON.parse(readFileSync(fixtureFile, 'utf8'));
const calls = Number(count);
/** How many events are made ready, as the Lambda runtime would have, before the clock runs. */
const batch = 500;

const allow = async (handler: Handler, event: unknown): Promise<void> => {
  const answer = await handler(event);
  if (answer.policyDocument.Statement[0]?.Effect !== 'Allow') throw new Error('the authorizer let a good request out');
};

const answer = (value: object): void => void writeSync(3, JSON.stringify(value));

/** Milliseconds until the bundle is loaded, and until its first decision stands. */
const first = async (): Promise<void> => {
  const event = structuredClone(fixture.events[0]);
  const start = performance.now();
  const { handler } = load(bundle);
  const loaded = performance.now();
  await allow(handler, event);
  answer({ load: loaded - start, first: performance.now() - start });
  process.exit();
};

/** CPU microseconds, user and system, and wall microseconds of a warm call. */
const warm = async (handler: Handler, prepare: (index: number) => void = () => undefined): Promise<void> => {
  const texts: string[] = fixture.events.map((event: unknown) => JSON.stringify(event));
  let cpu = 0;
  let wall = 0;
  let done = 0;
  const warmUp = Math.ceil(Math.max(calls / 5, texts.length) / batch) * batch;
  while (done < warmUp + calls) {
    const events: unknown[] = [];
    for (let index = 0; index < batch; index++) {
      const which = (done + index) % texts.length;
      events.push(JSON.parse(texts[which] ?? ''));
      prepare(which);
    }
    const start = performance.now();
    const before = process.cpuUsage();
    for (const event of events) await allow(handler, event);
    const { user, system } = process.cpuUsage(before);
    if (done >= warmUp) {
      cpu += user + system;
      wall += (performance.now() - start) * 1_000;
    }
    done += batch;
  }
  answer({ cpu: cpu / (done - warmUp), wall: wall / (done - warmUp), calls: done });
  process.exit();
};

if (mode === 'first') await first();
else if (mode === 'warm') await warm(load(bundle).handler);
else {
  const ready: unknown[] = [];
  const texts: string[] = fixture.records.map((records: unknown) => JSON.stringify(records));
  await warm(
    load(bundle)[side](() => ready.shift()),
    (which) => ready.push(JSON.parse(texts[which] ?? '')),
  );
}
