/** Is a suspension in force the moment it returned? Clients hammer the gate while their principal is suspended and activated. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { BatchGetItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type LocalCloud, startLocalCloud } from '../local/cloud.ts';
import { root } from '../local/tools.ts';
import { makeCsr, makeKey, writeKey } from '../src/authority/make-csr.ts';
import { controlKeys, tableName } from '../src/names.ts';
import { type Bench, median } from './bench.ts';

interface Identity {
  readonly cert: string;
  readonly key: string;
}

interface Seen {
  readonly began: number;
  readonly ended: number;
  readonly status: number;
}

interface Window {
  readonly from: number;
  readonly to: number;
}

type Call = (method: string, path: string, body?: unknown) => Promise<{ status: number; text: string }>;

/** One client with a connection of its own that it keeps. */
const client = (server: string, ca: Buffer, { cert, key }: Identity): { call: Call; close: () => void } => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca, cert, key });
  const call: Call = (method, path, body) =>
    new Promise((resolve, reject) => {
      const sent = request(new URL(path, server), { method, agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
        );
        response.on('error', reject);
      });
      sent.on('error', reject);
      if (body !== undefined) sent.setHeader('content-type', 'application/json');
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  return { call, close: () => agent.destroy() };
};

const expectStatus = async (answer: ReturnType<Call>, status: number): Promise<string> => {
  const { status: got, text } = await answer;
  if (got !== status) throw new Error(`expected ${status}, got ${got}: ${text}`);
  return text;
};

/** What a local cloud has that is hammered here. */
type Hammered = Pick<
  LocalCloud,
  'server' | 'cacert' | 'client_cert' | 'client_key' | 'aws_endpoint' | 'region' | 'name' | 'environment'
>;

/**
 * Lets `clients` call the gate without pause until `requests` have been answered, while their principal is suspended and
 * activated. `letIn` counts those that began after a suspend had returned, ended before the activation was sent, and were
 * let in nevertheless; `inside` all that did so.
 */
export const hammerTheGate = async (
  cloud: Hammered,
  { requests, clients }: { requests: number; clients: number },
  progress: (line: string) => void,
) => {
  const ca = readFileSync(cloud.cacert);
  const admin = client(cloud.server, ca, {
    cert: readFileSync(cloud.client_cert, 'utf8'),
    key: readFileSync(cloud.client_key, 'utf8'),
  });
  const principal_id = `bench-${Date.now().toString(36)}`;
  await expectStatus(admin.call('POST', '/api/v1/principals', { principal_id, type: 'worker' }), 201);
  const privateKey = makeKey();
  const [key, csr] = [writeKey(privateKey), await makeCsr(privateKey)];
  const issued = await expectStatus(admin.call('POST', '/api/v1/certificates', { principal_id, csr }), 201);
  const { pem, serial_number } = JSON.parse(issued);

  const seen: Seen[] = [];
  const windows: Window[] = [];
  const hammer = async (): Promise<void> => {
    const own = client(cloud.server, ca, { cert: pem, key });
    while (seen.length < requests) {
      const began = performance.now();
      const { status } = await own.call('GET', '/whoami');
      seen.push({ began, ended: performance.now(), status });
    }
    own.close();
  };
  const toggle = async (): Promise<void> => {
    while (seen.length < requests) {
      await expectStatus(admin.call('POST', `/api/v1/principals/${principal_id}/suspend`, { reason: 'bench' }), 200);
      const from = performance.now();
      await sleep(50 + Math.random() * 250);
      windows.push({ from, to: performance.now() });
      await expectStatus(admin.call('POST', `/api/v1/principals/${principal_id}/activate`, {}), 200);
      await sleep(50 + Math.random() * 250);
      progress(`${seen.length} of ${requests} requests`);
    }
  };
  const began = performance.now();
  await Promise.all([toggle(), ...Array.from({ length: clients }, hammer)]);
  const seconds = (performance.now() - began) / 1000;

  // A request belongs to a window when it began after the suspend had returned and ended before the activation was sent.
  const inside = seen.filter((one) => windows.some(({ from, to }) => one.began > from && one.ended < to));
  const letIn = inside.filter(({ status }) => status === 200).length;
  const odd = seen.filter(({ status }) => status !== 200 && status !== 401).length;

  const one = client(cloud.server, ca, { cert: pem, key });
  const gated = await timed(200, () => one.call('GET', '/whoami'));
  one.close();
  admin.close();
  const raw = await timed(200, rawRead(cloud, principal_id, serial_number));
  return { seen, windows, inside, letIn, odd, seconds, gated, raw };
};

export const enforcement: Bench = {
  about: 'requests let in although they began after a suspend had returned: none',
  sizes: { requests: 5000, clients: 8 },
  run: async ({ requests = 5000, clients = 8 }, progress) => {
    progress('starting a local cloud');
    const cloud = await startLocalCloud({ stateDir: join(root, '.everleaf', 'bench') });
    try {
      const { seen, windows, inside, letIn, odd, seconds, gated, raw } = await hammerTheGate(
        cloud,
        { requests, clients },
        progress,
      );
      return [
        {
          metric: 'let in after a suspend had returned',
          value: letIn,
          unit: 'requests',
          reference: 'requests that began in a suspension, all let in by a 5-minute authorizer cache',
          reference_value: inside.length,
          // A ratio, since none of none would say nothing.
          limit: { of: 'ratio', most: 0 },
        },
        { metric: 'requests', value: seen.length, unit: 'requests', reference: null, reference_value: null },
        { metric: 'suspensions', value: windows.length, unit: 'windows', reference: null, reference_value: null },
        {
          metric: 'neither 200 nor 401',
          value: odd,
          unit: 'requests',
          reference: null,
          reference_value: null,
          limit: { of: 'value', most: 0 },
        },
        {
          metric: 'throughput',
          value: seen.length / seconds,
          unit: 'requests/s',
          reference: null,
          reference_value: null,
        },
        {
          metric: 'gated call, one client',
          value: gated,
          unit: 'ms',
          reference: "the gate's read alone, by the SDK client from the emulator",
          reference_value: raw,
        },
      ];
    } finally {
      await cloud.stop();
    }
  },
};

const timed = async (times: number, work: () => Promise<unknown>): Promise<number> => {
  const taken: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const began = performance.now();
    await work();
    taken.push(performance.now() - began);
  }
  return median(taken);
};

const rawRead = (
  cloud: { name: string; environment: string; region: string; aws_endpoint: string },
  principal_id: string,
  serial_number: string,
): (() => Promise<unknown>) => {
  const dynamodb = new DynamoDBClient({
    region: cloud.region,
    endpoint: cloud.aws_endpoint,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const keys = {
    principals: { principal_id: { S: principal_id } },
    certificates: { serial_number: { S: serial_number } },
    controls: { control_id: { S: controlKeys.generation(0) } },
  } as const;
  const RequestItems = Object.fromEntries(
    Object.entries(keys).map(([table, key]) => [
      tableName(cloud, table as keyof typeof keys),
      { Keys: [key], ConsistentRead: true },
    ]),
  );
  return () => dynamodb.send(new BatchGetItemCommand({ RequestItems }));
};
