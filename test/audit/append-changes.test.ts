/** The function behind the tables' streams, as Lambda calls it: KMS, the heads' bucket and the log are there. */
import { CreateKeyCommand, KeySpec, KeyUsageType, KMSClient } from '@aws-sdk/client-kms';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openStampKey } from '../../src/aws/stamp-key.ts';
import { headsPrefix } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeStampKey } from '../stamps.ts';
import { makeChain, type TestChain } from './chain.ts';
import { edited, productWrites, streamRecords } from './stream-records.ts';

describeWithEmulator('the function that reads the streams', (emulator) => {
  const s3 = emulator.client(S3Client);
  let chain: TestChain;
  let Bucket: string;
  let records: ReturnType<typeof history>;
  let lines: Record<string, unknown>[];

  /** The product makes a principal and suspends it; somebody lets it in again by hand. */
  const history = (stampKey: Uint8Array) => {
    const product = productWrites(chain.deployment, stampKey);
    const record = streamRecords(chain.deployment);
    const at = Date.now();
    const made = product('principals', 'worker-1', undefined, {
      action: 'principal_created',
      at,
      set: { type: 'worker', status: 'active' },
    });
    const suspended = product('principals', 'worker-1', made, {
      action: 'principal_suspended',
      at,
      set: { status: 'suspended', suspended_reason: 'lost laptop' },
    });
    const byHand = edited(suspended, { status: { S: 'active' }, note: { S: 'hunter2' } });
    return {
      made: record('principals', undefined, made, { at }),
      suspended: record('principals', made, suspended, { at }),
      byHand: record('principals', suspended, byHand, { at }),
    };
  };

  beforeEach(async () => {
    chain = await makeChain(emulator);
    Bucket = `${chain.deployment.name}-heads`;
    const kms = emulator.client(KMSClient);
    const { KeyMetadata } = await kms.send(
      new CreateKeyCommand({ KeySpec: KeySpec.ECC_NIST_P256, KeyUsage: KeyUsageType.SIGN_VERIFY }),
    );
    const keyId = await makeStampKey(emulator);
    records = history(await openStampKey(chain.deployment, { keyId, client: kms })());
    const environment = {
      ...emulator.env,
      EVERLEAF_NAME: chain.deployment.name,
      EVERLEAF_ENVIRONMENT: 'dev',
      STAMP_KEY_ID: keyId,
      AUDIT_KEY_ID: KeyMetadata?.KeyId ?? '',
      HEADS_BUCKET: Bucket,
      AWS_MAX_ATTEMPTS: '1',
    };
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    // The world of a function is built once: another deployment needs its module anew.
    vi.resetModules();
    lines = [];
    for (const stream of [process.stdout, process.stderr])
      vi.spyOn(stream, 'write').mockImplementation((text) => {
        lines.push(JSON.parse(String(text)));
        return true;
      });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });

  const makeBucket = async (): Promise<void> => {
    await s3.send(new CreateBucketCommand({ Bucket }));
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  };
  const hear = async (...Records: readonly unknown[]): Promise<void> =>
    (await import('../../lambdas/audit/append-changes.ts')).handler({ Records });
  const heads = async (): Promise<number> =>
    ((await s3.send(new ListObjectsV2Command({ Bucket, Prefix: headsPrefix }))).Contents ?? []).length;
  const emptied = async (): Promise<string> => {
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
    for (const { Key, VersionId } of Versions) await s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId }));
    return Bucket;
  };
  const counted = () => lines.filter((line) => '_aws' in line);
  const warnings = () => lines.filter(({ level }) => level === 'WARN');
  const actions = async () => (await chain.rows()).map(({ action }) => action);

  it('enters what the product did and what it did not, and warns of the latter without its values', async () => {
    await makeBucket();
    await hear(records.made, records.suspended, records.byHand);
    expect(await actions()).toEqual(['principal_created', 'principal_suspended', 'out_of_band']);
    expect(warnings()).toMatchObject([
      {
        message: 'audit: out_of_band',
        subject: 'principals/worker-1',
        attributes: ['note', 'status'],
      },
    ]);
    expect(counted()).toMatchObject([{ out_of_band_changes_total: 1 }, { audit_entries_total: 3 }]);
    expect(JSON.stringify([lines, await chain.rows()])).not.toContain('hunter2');
    expect(await heads()).toBe(1);
  });

  it('does not warn of what the product did', async () => {
    await makeBucket();
    await hear(records.made, records.suspended);
    expect(warnings()).toEqual([]);
    expect(counted()).toMatchObject([{ audit_entries_total: 2 }]);
    expect(counted()).toHaveLength(1);
  });

  it('enters and counts a record that it cannot read, and the rest of its batch', async () => {
    await makeBucket();
    await hear(records.made, { eventID: 'poison', dynamodb: 'hunter2' }, records.suspended);
    expect(await actions()).toEqual(['principal_created', 'record_unreadable', 'principal_suspended']);
    expect(counted()).toMatchObject([{ audit_records_unreadable_total: 1 }, { audit_entries_total: 3 }]);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });

  it('tells of a break-in whatever then fails, and enters it once when the batch comes again', async () => {
    // Without the bucket of its heads a cold function cannot tell where the chain ends, and a warm one not sign.
    await expect(hear(records.made, records.byHand)).rejects.toThrow();
    expect(warnings()).toHaveLength(1);
    expect(counted()).toMatchObject([{ out_of_band_changes_total: 1 }]);
    await makeBucket();
    await hear(records.made, records.byHand);
    await s3.send(new DeleteBucketCommand({ Bucket: await emptied() }));
    await expect(hear(records.suspended)).rejects.toThrow();
    await makeBucket();
    await hear(records.suspended);
    expect(await actions()).toEqual(['principal_created', 'out_of_band', 'principal_suspended']);
    expect(await heads()).toBe(1);
  });

  it('fails on what is no batch', async () => {
    await expect((await import('../../lambdas/audit/append-changes.ts')).handler({ Records: 1 })).rejects.toThrow();
  });
});
