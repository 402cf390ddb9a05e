/** The gate beside a reference authorizer: size, start, CPU, requests. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { z } from 'zod';
import { type BundleFormat, bundleOptions } from '../lib/bundle.ts';
import { deployment, makeFixture, startStandIn } from './authorizer-fixture.ts';
import { type Bench, type Limit, type Measurement, median } from './bench.ts';

const sides = ['gate', 'reference'] as const;
type Side = (typeof sides)[number];
const sources: Readonly<Record<Side, string>> = {
  gate: 'lambdas/access/authorize-request.ts',
  reference: 'bench/authorizer-reference.ts',
};
const reference = 'SDK client + powertools, as NodejsFunction bundles';

/** The Node that AWS runs, where npm brought it; else this one. */
const lambdaNode = join('node_modules', '.bin', 'node');
const node = existsSync(lambdaNode) ? lambdaNode : process.execPath;

/** As the gate is bundled to be deployed. */
const bundle = (source: string, outfile: string, format: BundleFormat = 'cjs') =>
  build({ ...bundleOptions('', format), entryPoints: [source], outfile });

/** As CDK's NodejsFunction bundles what is written the usual way, minified and with the SDK in it. */
const bundleUsually = (source: string, outfile: string) =>
  build({
    entryPoints: [source],
    outfile,
    format: 'cjs',
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    logLevel: 'silent',
  });

const starts = z.object({ load: z.number(), first: z.number() });
const costs = z.object({ cpu: z.number(), wall: z.number(), calls: z.number() });

const measure: Bench['run'] = async (sizes, progress) => {
  const { processes = 11, calls = 5_000, decisions = 50_000, certificates = 100 } = sizes;
  const folder = mkdtempSync(join(tmpdir(), 'everleaf-bench-'));
  const file = (name: string): string => join(folder, name);
  const fixture = await makeFixture(certificates);
  const standIn = await startStandIn(fixture);
  try {
    progress(`bundling; measuring on ${node}`);
    writeFileSync(file('fixture.json'), JSON.stringify(fixture));
    await Promise.all([
      bundle(sources.gate, file('gate.cjs')),
      bundleUsually(sources.reference, file('reference.cjs')),
      bundle('bench/authorizer-decision.ts', file('decision.cjs')),
      bundle('bench/authorizer-process.ts', file('process.mjs'), 'esm'),
    ]);

    const run = <T>(shape: z.ZodType<T>, mode: string, bundleName: string, side: Side, count: number): Promise<T> =>
      new Promise((resolve, reject) => {
        const words = [file('process.mjs'), mode, file(bundleName), side, file('fixture.json'), String(count)];
        const child = spawn(node, words, {
          stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
          env: {
            EVERLEAF_NAME: deployment.name,
            EVERLEAF_ENVIRONMENT: deployment.environment,
            POWERTOOLS_SERVICE_NAME: 'authorize-request',
            AWS_REGION: 'us-east-1',
            AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
            AWS_SECRET_ACCESS_KEY: 'not-a-secret',
            AWS_ENDPOINT_URL: standIn.endpoint,
          },
        });
        let found = '';
        child.stdio[3]?.on('data', (chunk) => {
          found += chunk;
        });
        child.on('error', reject);
        child.on('close', (code) => {
          if (code === 0) resolve(shape.parse(JSON.parse(found)));
          else reject(new Error(`measuring the ${side} ended with ${code}`));
        });
      });

    const results: Measurement[] = [];
    const add = (metric: string, unit: string, values: Readonly<Record<Side, number>>, limit?: Limit): void => {
      const { gate: value, reference: reference_value } = values;
      results.push({ metric, value, unit, reference, reference_value, ...(limit && { limit }) });
    };
    const size = (side: Side): number => statSync(file(`${side}.cjs`)).size / 1_000;
    add('bundle', 'KB', { gate: size('gate'), reference: size('reference') }, { of: 'value', most: 12 });

    const found: Record<Side, z.infer<typeof starts>[]> = { gate: [], reference: [] };
    for (let round = -1; round < processes; round++) {
      progress(`fresh processes: ${Math.max(0, round)} of ${processes}`);
      for (const side of sides) {
        const start = await run(starts, 'first', `${side}.cjs`, side, 1);
        if (round >= 0) found[side].push(start);
      }
    }
    const middle = (what: 'load' | 'first') => ({
      gate: median(found.gate.map((start) => start[what])),
      reference: median(found.reference.map((start) => start[what])),
    });
    add('load', 'ms', middle('load'));
    add('load + first decision', 'ms', middle('first'), { of: 'ratio', most: 0.25 });

    progress(`${decisions} decisions without I/O, ${calls} calls with it`);
    const decided = {
      gate: await run(costs, 'decision', 'decision.cjs', 'gate', decisions),
      reference: await run(costs, 'decision', 'decision.cjs', 'reference', decisions),
    };
    const decisionCpu = { gate: decided.gate.cpu, reference: decided.reference.cpu };
    add('warm CPU per decision with its metrics, I/O left out', 'us', decisionCpu, { of: 'value', most: 10 });

    const requests: Record<Side, number> = { gate: 0, reference: 0 };
    const called = async (side: Side): Promise<z.infer<typeof costs>> => {
      standIn.takeRequests();
      const cost = await run(costs, 'warm', `${side}.cjs`, side, calls);
      requests[side] = standIn.takeRequests() / cost.calls;
      return cost;
    };
    const whole = { gate: await called('gate'), reference: await called('reference') };
    add('warm CPU per call with its DynamoDB request', 'us', { gate: whole.gate.cpu, reference: whole.reference.cpu });
    add('warm call with its DynamoDB request', 'us', { gate: whole.gate.wall, reference: whole.reference.wall });
    add('DynamoDB requests per call', 'requests', requests, { of: 'value', least: 1, most: 1 });
    return results;
  } finally {
    await standIn.stop();
    rmSync(folder, { recursive: true });
  }
};

export const authorizer: Bench = {
  about:
    'the gate beside a reference authorizer written with the SDK client and powertools: size, start, CPU, requests',
  sizes: { processes: 11, calls: 5_000, decisions: 50_000, certificates: 100 },
  run: measure,
};
