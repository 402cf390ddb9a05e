/** What verifies and proves, as Lambda calls it: from an event to the table, the bucket and the key. */

import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { append } from '../../src/audit/append.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import { entryHash } from '../../src/audit/entry.ts';
import { openAuditKey } from '../../src/aws/audit-key.ts';
import { openHeads } from '../../src/aws/heads.ts';
import { describeWithEmulator } from '../emulator.ts';
import { event } from '../http/event.ts';
import { makeStampKey } from '../stamps.ts';
import { makeChain, type TestChain } from './chain.ts';
import { draft } from './rows.ts';

const verifyRoute = 'GET /api/v1/identity/audit/verify';
const proofRoute = 'GET /api/v1/identity/audit/{sequence}/proof';
const auditor = { principal_id: 'auditor-1', principal_type: 'auditor', serial_number: '01aa', generation: '0' };
const worker = { ...auditor, principal_id: 'worker-1', principal_type: 'worker' };
const invocation = { awsRequestId: 'of-the-invocation', getRemainingTimeInMillis: () => 900_000 };

describeWithEmulator('what verifies and proves', (emulator) => {
  let chain: TestChain;

  beforeAll(async () => {
    chain = await makeChain(emulator);
    const [s3, kms] = [emulator.client(S3Client), emulator.client(KMSClient)];
    const Bucket = `heads-${chain.deployment.name}`;
    await s3.send(new CreateBucketCommand({ Bucket }));
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }));
    const key = openAuditKey(KeyMetadata?.KeyId ?? '', kms);
    const writer = {
      ...chain.writer(),
      heads: openHeads(Bucket, { deployment: chain.deployment, publicKey: key.publicKey }, s3),
      signHead: key.sign,
    };
    await coverWithHead(
      writer,
      await append(
        writer,
        [1, 2, 3, 4, 5].map((n) => draft(n)),
      ),
    );
    for (const [name, value] of Object.entries({
      ...emulator.env,
      EVERLEAF_NAME: chain.deployment.name,
      EVERLEAF_ENVIRONMENT: chain.deployment.environment,
      STAMP_KEY_ID: await makeStampKey(emulator),
      AUDIT_KEY_ID: KeyMetadata?.KeyId ?? '',
      HEADS_BUCKET: Bucket,
      VERIFY_STATE_MACHINE: `arn:aws:states:${emulator.region}:000000000000:stateMachine:none`,
      POWERTOOLS_LOG_LEVEL: 'SILENT',
    }))
      vi.stubEnv(name, value);
  });

  let lines: string[] = [];
  beforeEach(() => {
    lines = [];
    vi.spyOn(process.stdout, 'write').mockImplementation((line) => {
      lines.push(String(line));
      return true;
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const verify = async (query: Record<string, string> = {}, caller: object = auditor) => {
    const { handler } = await import('../../lambdas/audit/verify-audit.ts');
    const { statusCode, body } = await handler(event(verifyRoute, { query, caller }));
    return { status: statusCode, body: JSON.parse(body) };
  };
  const prove = async (sequence: string, caller: object = auditor) => {
    const { handler } = await import('../../lambdas/audit/prove-entry.ts');
    const { statusCode, body } = await handler(event(proofRoute, { path: { sequence }, caller }));
    return { status: statusCode, body: JSON.parse(body) };
  };

  it('answers what the runbook reads', async () => {
    const valid = { is_valid: true, total_entries: 5, first_invalid_sequence: null, problems: [], remarks: [] };
    expect(await verify()).toEqual({
      status: 200,
      body: { ...valid, checked_from: 1, head: { size: 5, signed_at: expect.any(Number) } },
    });
    expect(await verify({ since_head: 'true' })).toMatchObject({ status: 200, body: { checked_from: 6 } });
    expect(await prove('3')).toMatchObject({
      status: 200,
      body: { sequence: 3, entry: { sequence: 3 }, head: { size: 5 }, public_key: /^-----BEGIN PUBLIC KEY-----/ },
    });
  });

  it('refuses what it does not take, and whoever may not read the audit', async () => {
    expect(await verify({ since_head: 'yes' })).toMatchObject({ status: 400, body: { field: 'since_head' } });
    expect(await verify({ verification_id: 'x' })).toMatchObject({ status: 400, body: { field: 'verification_id' } });
    expect(await verify({ verification_id: '1-0123456789abcdef' })).toMatchObject({ status: 404 });
    for (const sequence of ['0', '-1', '1.5', 'x', '01'])
      expect(await prove(sequence)).toMatchObject({ status: 400, body: { field: 'sequence' } });
    expect(await prove('6')).toMatchObject({ status: 404 });
    expect(await verify({}, worker)).toMatchObject({ status: 403 });
    expect(await prove('1', worker)).toMatchObject({ status: 403 });
  });

  it('goes on from what is handed over, or from nothing, and counts an invalid chain', async () => {
    const { handler } = await import('../../lambdas/audit/continue-verification.ts');
    expect(await handler({}, invocation)).toMatchObject({ done: true, verdict: { is_valid: true, total_entries: 5 } });
    const [, second] = await chain.rows();
    const entry = second?.entry.replace('admin-one', 'admin-two') ?? '';
    await chain.put({ ...second, entry, hash: entryHash(entry) });
    const found = { is_valid: false, first_invalid_sequence: 2 };
    expect(await handler({ source: 'aws.events' }, invocation)).toMatchObject({ done: true, verdict: found });
    expect(await verify()).toMatchObject({ status: 200, body: found });
    const counted = lines.flatMap((line) => (line.includes('audit_chain_invalid') ? [JSON.parse(line)] : []));
    expect(counted.map(({ audit_chain_invalid }) => [audit_chain_invalid].flat()[0])).toEqual([0, 1, 1]);
    await expect(handler({ state: { position: 1 } }, invocation)).rejects.toMatchObject({ name: 'InvalidInput' });
  });
});
