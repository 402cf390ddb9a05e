/** Appending to the chain: what its own work takes as the chain grows, and what a store in between makes of it. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { startEmulator } from '../local/emulator.ts';
import { append } from '../src/audit/append.ts';
import { coverWithHead } from '../src/audit/cover-with-head.ts';
import type { AuditWorld } from '../src/audit/world.ts';
import { openAuditKey } from '../src/aws/audit-key.ts';
import { openHeads } from '../src/aws/heads.ts';
import { documentClient } from '../src/aws/world.ts';
import { tableName } from '../src/names.ts';
import { appendBatch, batch, emptyChain, type Sealing } from './audit-chain.ts';
import { draftOf } from './audit-drafts.ts';
import { type Measurement, median } from './bench.ts';
import { cpuOf } from './cpu.ts';

/** Entries whose times are taken together. */
const stretch = 20_000;

/** Entries a second of a processor: merged, written down, sealed, hashed, added to the tree; by stretches of the chain. */
const ratesOf = (sealing: Sealing, growth: number, progress: (line: string) => void): number[] => {
  const rates: number[] = [];
  let position = emptyChain;
  let taken = 0;
  let measured = 0;
  while (position.size < growth) {
    const { size } = position;
    const { build } = appendBatch(sealing, position, size + batch);
    taken += cpuOf(() => {
      ({ position } = build());
    });
    measured += position.size - size;
    if (measured < stretch && position.size < growth) continue;
    rates.push((measured / taken) * 1e6);
    [taken, measured] = [0, 0];
    if (rates.length % 5 === 0) progress(`${position.size} of ${growth} entries appended in memory`);
  }
  return rates;
};

export const measureGrowth = (
  sealing: Sealing,
  { growth }: { readonly growth: number },
  progress: (line: string) => void,
): Measurement[] => {
  const rates = ratesOf(sealing, growth, progress);
  // The first stretch warms up what the others run on.
  const few = Math.max(1, Math.ceil(rates.length / 10));
  return [
    {
      metric: `append in batches of ${batch}, the store left out, at ${growth} entries`,
      value: median(rates.slice(-few)),
      unit: 'entries/s',
      reference: 'the same at the beginning',
      reference_value: median(rates.length > few ? rates.slice(1, 1 + few) : rates),
      limit: { of: 'ratio', least: 0.7, most: Number.POSITIVE_INFINITY },
    },
  ];
};

/** A deployment's audit table, heads and key in an emulator of its own, and a writer. */
const openStore = async ({ deployment, stampKey }: Sealing) => {
  const emulator = await startEmulator();
  const config = {
    endpoint: emulator.endpoint,
    region: emulator.region,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    forcePathStyle: true,
  };
  const [dynamodb, s3, kms] = [new DynamoDBClient(config), new S3Client(config), new KMSClient(config)];
  await dynamodb.send(
    new CreateTableCommand({
      TableName: tableName(deployment, 'audit'),
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: 'chain', KeyType: 'HASH' },
        { AttributeName: 'sequence', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [
        { AttributeName: 'chain', AttributeType: 'S' },
        { AttributeName: 'sequence', AttributeType: 'N' },
      ],
    }),
  );
  const Bucket = 'bench-heads';
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }));
  const key = openAuditKey(KeyMetadata?.KeyId ?? '', kms);
  const world: AuditWorld = {
    deployment,
    now: Date.now,
    randomBytes: (size) => randomBytes(size),
    documents: documentClient(dynamodb),
    stampKey: async () => stampKey,
    heads: openHeads(Bucket, { deployment, publicKey: key.publicKey }, s3),
    signHead: key.sign,
    sleep: (ms) => sleep(ms),
    memory: {},
    alarm: (problem) => {
      throw new Error(problem);
    },
    warn: () => undefined,
    count: () => undefined,
  };
  return { world, stop: emulator.stop };
};

/** `stored` entries in batches, and a tenth as many one by one. */
export const measureStore = async (
  sealing: Sealing,
  { stored }: { readonly stored: number },
  progress: (line: string) => void,
): Promise<Measurement[]> => {
  progress('starting the emulator');
  const { world, stop } = await openStore(sealing);
  try {
    let next = 0;
    const entries = (count: number) => Array.from({ length: count }, () => draftOf(sealing.stampKey, next++));
    const timed = async (work: () => Promise<unknown>): Promise<number> => {
      const began = performance.now();
      await work();
      return performance.now() - began;
    };
    // The first call reads how far the chain is.
    await append(world, entries(1));
    const batches: number[] = [];
    const heads: number[] = [];
    while (next < stored) {
      const drafts = entries(batch);
      batches.push(await timed(() => append(world, drafts)));
      if (heads.length < 10 && batches.length % 5 === 1) {
        const { position } = world.memory;
        if (position !== undefined) heads.push(await timed(() => coverWithHead(world, position)));
      }
      progress(`${next} of ${stored} entries appended to the store`);
    }
    const singles: number[] = [];
    for (let n = 0; n < Math.ceil(stored / 10); n += 1) {
      const drafts = entries(1);
      singles.push(await timed(() => append(world, drafts)));
    }
    const few = Math.max(1, Math.floor(batches.length / 5));
    const rate = (times: readonly number[]): number => (batch / median(times)) * 1_000;
    const reference = 'one entry a call';
    return [
      {
        metric: `append through the emulator in batches of ${batch}`,
        value: rate(batches),
        unit: 'entries/s',
        reference,
        reference_value: 1_000 / median(singles),
      },
      {
        metric: `the same at ${next} entries`,
        value: rate(batches.slice(-few)),
        unit: 'entries/s',
        reference: 'the same at the beginning',
        reference_value: rate(batches.slice(0, few)),
        limit: { of: 'ratio', least: 0.5, most: Number.POSITIVE_INFINITY },
      },
      {
        metric: 'a signed head over what was appended, its turn waited for',
        value: median(heads),
        unit: 'ms',
        reference: 'one batch',
        reference_value: median(batches),
      },
    ];
  } finally {
    await stop();
  }
};
