/** The two functions that enter what no stream tells, as Lambda calls them: KMS, the heads' bucket and the log are there. */
import { CreateKeyCommand, KeySpec, KeyUsageType, KMSClient } from '@aws-sdk/client-kms';
import { CreateBucketCommand, ListObjectsV2Command, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { Context } from 'aws-lambda';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { entrySchema } from '../../src/audit/entry.ts';
import { headsPrefix, tableName } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment } from '../principal/deployment.ts';
import { makeStampKey } from '../stamps.ts';
import { alice, assumed, event } from './cloudtrail.ts';

describeWithEmulator('a job of the audit', (emulator) => {
  const s3 = emulator.client(S3Client);
  let d: Awaited<ReturnType<typeof makeDeployment>>;
  let bucket: string;
  let counted: Record<string, unknown>[];

  beforeEach(async () => {
    d = await makeDeployment(emulator);
    bucket = `${d.deployment.name}-heads`;
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    await s3.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    const { KeyMetadata } = await emulator
      .client(KMSClient)
      .send(new CreateKeyCommand({ KeySpec: KeySpec.ECC_NIST_P256, KeyUsage: KeyUsageType.SIGN_VERIFY }));
    const environment = {
      ...emulator.env,
      EVERLEAF_NAME: d.deployment.name,
      EVERLEAF_ENVIRONMENT: 'dev',
      STAMP_KEY_ID: await makeStampKey(emulator),
      AUDIT_KEY_ID: KeyMetadata?.KeyId ?? '',
      HEADS_BUCKET: bucket,
      CA_KEY_ID: 'arn:aws:kms:us-east-1:123456789012:key/ca',
      TRUSTSTORE_BUCKET: 'theirs',
      DOMAIN_NAME: 'api.example.com',
      WRITER_ROLE_NAMES: 'one-role,renewing-role',
      POWERTOOLS_LOG_LEVEL: 'SILENT',
    };
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    // The world of a function is built once: another deployment needs its module anew.
    vi.resetModules();
    counted = [];
    vi.spyOn(process.stdout, 'write').mockImplementation((line) => {
      const text = String(line);
      if (text.includes('CloudWatchMetrics')) counted.push(JSON.parse(text));
      return true;
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });

  const entries = async () => {
    const { Items = [] } = await d.world.documents.send(
      new QueryCommand({
        TableName: tableName(d.deployment, 'audit'),
        KeyConditionExpression: 'chain = :chain',
        ExpressionAttributeValues: { ':chain': 'main' },
      }),
    );
    return Items.map(({ entry }) => entrySchema.parse(JSON.parse(entry)));
  };
  const heads = async () =>
    (await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: headsPrefix }))).Contents ?? [];
  const context = { awsRequestId: 'request-1', getRemainingTimeInMillis: () => 900_000 } as Context;

  const written = (userIdentity: unknown) =>
    event('ssm', 'PutParameter', { name: `/${d.deployment.name}/dev/server-key`, value: 'hunter2' }, { userIdentity });
  const hear = async (heard: unknown) => (await import('../../lambdas/audit/append-outside-change.ts')).handler(heard);

  it('enters a call that is delivered twice once, signs a head over it, and alarms each time', async () => {
    await hear(written(alice));
    await hear(written(alice));
    expect(await entries()).toMatchObject([{ action: 'out_of_band', actor: alice.arn, sequence: 1 }]);
    expect(await heads()).toHaveLength(1);
    expect(counted).toMatchObject([
      { out_of_band_changes_total: 1 },
      { audit_entries_total: 1 },
      { out_of_band_changes_total: 1 },
      { audit_entries_total: 0 },
    ]);
    expect(JSON.stringify(await entries())).not.toContain('hunter2');
  });

  it('enters what a role of the deployment did, and does not alarm', async () => {
    await hear(written(assumed('renewing-role', 'renew-server-certificate')));
    expect(await entries()).toMatchObject([{ action: 'parameter_written' }]);
    expect(counted).toMatchObject([{ audit_entries_total: 1 }]);
    expect(JSON.stringify(counted)).not.toContain('out_of_band');
  });

  it('tells of a break-in where no head can be signed, or the chain’s end not be found', async () => {
    vi.stubEnv('HEADS_BUCKET', `${bucket}-gone`);
    await expect(hear(written(alice))).rejects.toThrow();
    expect(counted).toMatchObject([{ out_of_band_changes_total: 1 }]);
  });

  it('enters nothing of a call that changed nothing here, and fails on what is no call', async () => {
    await hear(event('ssm', 'PutParameter', { name: '/theirs' }));
    await expect(hear({ source: 'aws.ssm' })).rejects.toThrow();
    expect(await entries()).toEqual([]);
    expect(counted).toEqual([]);
  });

  it('says every day that the tables were compared, once for each event of the schedule', async () => {
    const { handler } = await import('../../lambdas/audit/reconcile-audit.ts');
    const rows = Array.from({ length: 16 }, (_, copy) => ({ control_id: `generation#${copy}` }));
    for (const row of rows)
      await d.world.documents.send(new PutCommand({ TableName: tableName(d.deployment, 'controls'), Item: row }));
    const scheduled = { id: 'day-1', 'detail-type': 'Scheduled Event', source: 'aws.events' };
    await handler(scheduled, context);
    await handler(scheduled, { ...context, awsRequestId: 'request-2' });
    await handler({}, context);
    expect(await entries()).toMatchObject([
      { action: 'audit_reconciled', request_id: 'day-1', details: { rows: 16, differences: 0, undecided: 0 } },
      { action: 'audit_reconciled', request_id: 'request-1', details: { rows: 16, differences: 0, undecided: 0 } },
    ]);
    expect(await heads()).toHaveLength(2);
    expect(counted).toMatchObject([{ audit_entries_total: 1 }, { audit_entries_total: 0 }, { audit_entries_total: 1 }]);
  });

  it('calls for help where rows differ and no time is left to look at them again', async () => {
    const { handler } = await import('../../lambdas/audit/reconcile-audit.ts');
    const Item = { principal_id: 'nobody-heard-of-it', status: 'active' };
    await d.world.documents.send(new PutCommand({ TableName: tableName(d.deployment, 'principals'), Item }));
    await handler({ id: 'day-1' }, { ...context, getRemainingTimeInMillis: () => 100_000 });
    expect(await entries()).toMatchObject([
      { action: 'audit_reconciled', details: { differences: 0, undecided: expect.any(Number) } },
    ]);
    expect(counted).toMatchObject([{ audit_differences_total: 1 }, { audit_entries_total: 1 }]);
  });
});
