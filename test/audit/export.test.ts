/** GET /audit/export from event to answer, with a head in a bucket and the key in KMS: every line proves its entry. */
import { createPublicKey } from 'node:crypto';
import { CreateKeyCommand, KeySpec, KeyUsageType, KMSClient } from '@aws-sdk/client-kms';
import { CreateBucketCommand, PutBucketVersioningCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { BatchWriteCommand, DeleteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { beginExport, checkEnd, checkNext, type Proven } from '../../src/audit/check-proof.ts';
import type { Draft, EntryRow } from '../../src/audit/entry.ts';
import { deploymentWord, headKey, headVerifies, type SignedHead, signHead } from '../../src/audit/head.ts';
import { openAuditKey } from '../../src/aws/audit-key.ts';
import { auditKeys, tableName } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { adminCaller, event } from '../http/event.ts';
import { makeDeployment } from '../principal/deployment.ts';
import { makeStampKey } from '../stamps.ts';
import { draft, headOver, provenIn, rowsOf } from './rows.ts';

const route = 'GET /api/v1/identity/audit/export';

interface Page {
  readonly status: number;
  readonly bytes: number;
  readonly head: SignedHead;
  readonly public_key: string;
  readonly lines: readonly Proven[];
  readonly next_sequence?: number;
  readonly field?: string;
}

describeWithEmulator('an export over HTTP', (emulator) => {
  let d: Awaited<ReturnType<typeof makeDeployment>>;
  let stampKey: string;
  let keyId: string;
  let bucket: string;
  const s3 = emulator.client(S3Client);
  const kms = emulator.client(KMSClient);

  const write = async (rows: readonly EntryRow[]) => {
    const table = tableName(d.deployment, 'audit');
    for (let start = 0; start < rows.length; start += 25) {
      const puts = rows
        .slice(start, start + 25)
        .map((row) => ({ PutRequest: { Item: { chain: auditKeys.chain, ...row } } }));
      await d.world.documents.send(new BatchWriteCommand({ RequestItems: { [table]: puts } }));
    }
  };
  const key = (sequence: number) => ({
    TableName: tableName(d.deployment, 'audit'),
    Key: { chain: auditKeys.chain, sequence },
  });
  const edit = (sequence: number, name: string, value: unknown) =>
    d.world.documents.send(
      new UpdateCommand({
        ...key(sequence),
        UpdateExpression: 'SET #name = :value',
        ExpressionAttributeNames: { '#name': name },
        ExpressionAttributeValues: { ':value': value },
      }),
    );
  const put = (head: SignedHead, Body = JSON.stringify(head)) =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key: headKey(head), Body }));
  const signOver = async (rows: readonly EntryRow[]) => {
    const { privateKey } = (await import('node:crypto')).generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { signature, ...head } = await headOver(rows, privateKey, { deployment: deploymentWord(d.deployment) });
    const signed = await signHead(head, openAuditKey(keyId, kms).sign);
    await put(signed);
    return signed;
  };
  const page = async (query: Record<string, string> = {}, principal_type = 'auditor'): Promise<Page> => {
    const { handler } = await import('../../lambdas/audit/export-audit.ts');
    const answer = await handler(event(route, { query, caller: { ...adminCaller, principal_type } }));
    return { status: answer.statusCode, bytes: Buffer.byteLength(answer.body), ...JSON.parse(answer.body) };
  };
  const all = async (limit: string) => {
    const lines: Proven[] = [];
    let last = await page({ limit });
    for (;;) {
      expect(last.status).toBe(200);
      lines.push(...last.lines);
      if (last.next_sequence === undefined) return { ...last, lines };
      last = await page({ limit, from_sequence: String(last.next_sequence), head_size: String(last.head.size) });
    }
  };
  /** Sequences that a checker of the whole export finds something wrong with. */
  const wrong = ({ head, lines }: Pick<Page, 'head' | 'lines'>) => {
    let state = beginExport({ from_sequence: 1 });
    const found: number[] = [];
    for (const line of lines) {
      const checked = checkNext(head, state, line);
      state = checked.state;
      found.push(...checked.problems.map(({ sequence }) => sequence));
    }
    return [...found, ...checkEnd(head, state).problems.map(({ sequence }) => sequence)];
  };
  const some = (count: number, values: Partial<Draft> = {}) =>
    rowsOf(Array.from({ length: count }, (_, n) => draft(n + 1, values)));

  beforeAll(async () => {
    stampKey = await makeStampKey(emulator);
    const { KeyMetadata } = await kms.send(
      new CreateKeyCommand({ KeySpec: KeySpec.ECC_NIST_P256, KeyUsage: KeyUsageType.SIGN_VERIFY }),
    );
    keyId = KeyMetadata?.KeyId ?? expect.fail();
  });
  // The world of a function is built once: another deployment needs its module anew.
  beforeEach(async () => {
    d = await makeDeployment(emulator);
    bucket = `${d.deployment.name}-heads`;
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    await s3.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    vi.resetModules();
    const environment = {
      ...emulator.env,
      EVERLEAF_NAME: d.deployment.name,
      EVERLEAF_ENVIRONMENT: 'dev',
      STAMP_KEY_ID: stampKey,
      AUDIT_KEY_ID: keyId,
      HEADS_BUCKET: bucket,
      POWERTOOLS_LOG_LEVEL: 'SILENT',
    };
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  });

  it.each([1, 2, 3, 7, 8, 13, 64, 100])('of %i entries proves every one of them, whatever the pages', async (size) => {
    const rows = some(size);
    await write(rows);
    const head = await signOver(rows);
    for (const limit of ['1', '5', '500']) {
      if (limit === '1' && size > 20) continue;
      const exported = await all(limit);
      expect(exported.head).toEqual(head);
      expect(headVerifies(createPublicKey(exported.public_key), deploymentWord(d.deployment), exported.head)).toBe(
        true,
      );
      expect(exported.lines).toEqual(rows.map(({ sequence }) => provenIn(rows, sequence)));
      expect(wrong(exported)).toEqual([]);
    }
  });

  it('goes on against its own head while the chain grows, and shows nothing that is not signed', async () => {
    const rows = some(20);
    await write(rows);
    await signOver(rows.slice(0, 11));
    const first = await page({ limit: '4' });
    expect(first).toMatchObject({ head: { size: 11 }, next_sequence: 5 });
    await signOver(rows.slice(0, 19));
    const second = await page({ from_sequence: '5', head_size: '11', limit: '50' });
    expect(second.next_sequence).toBeUndefined();
    expect(wrong({ head: first.head, lines: [...first.lines, ...second.lines] })).toEqual([]);
    expect((await all('50')).lines).toHaveLength(19);
  });

  it('is against the newest head that the key signed, whatever else lies in the bucket', async () => {
    const rows = some(9);
    await write(rows);
    const head = await signOver(rows.slice(0, 6));
    await put({ ...head, size: 9 });
    await put({ ...head, size: 8, hash: 'a'.repeat(64) }, 'nothing');
    expect(await page()).toMatchObject({ status: 200, head });
  });

  it('ends a page before it grows beyond what a function may answer', async () => {
    const rows = some(30, { details: { reason: '"\\'.repeat(30_000) } });
    await write(rows);
    await signOver(rows);
    const first = await page({ limit: '500' });
    expect(first.lines.length).toBeGreaterThan(1);
    expect(first.bytes).toBeLessThan(3_000_000);
    expect(wrong(await all('500'))).toEqual([]);
  });

  it('of a table that somebody edited leaves out no line that is there, and proves what it can', async () => {
    const rows = some(24);
    await write(rows);
    await signOver(rows);
    await edit(5, 'entry', rows[4]?.entry.replace('admin-one', 'admin-two'));
    await d.world.documents.send(new DeleteCommand(key(9)));
    await edit(14, 'nodes', 'none');
    await edit(19, 'entry', 19);
    await edit(22.5, 'entry', 'planted');
    const exported = await all('6');
    expect(exported.lines).toHaveLength(22);
    expect(wrong(exported)).toEqual([5, 9, 19]);
    for (const { bytes, path } of exported.lines)
      if (JSON.parse(bytes).sequence === 5) expect(path).toEqual(provenIn(rows, 5).path);
      else expect({ bytes, path }).toEqual(provenIn(rows, JSON.parse(bytes).sequence));
  });

  it.each([1, 2, 3, 8, 12, 15, 16, 17, 24])('proves all other entries when row %i of 24 is deleted', async (gone) => {
    const rows = some(24);
    await write(rows);
    await signOver(rows);
    await d.world.documents.send(new DeleteCommand(key(gone)));
    for (const limit of ['5', '500']) {
      const exported = await all(limit);
      expect(wrong(exported)).toEqual([gone]);
      expect(exported.lines).toEqual(
        rows.flatMap(({ sequence }) => (sequence === gone ? [] : [provenIn(rows, sequence)])),
      );
    }
  });
  it('proves all other entries when several rows are gone and an older head still names what is lost', async () => {
    const rows = some(24);
    await write(rows);
    await signOver(rows.slice(0, 7));
    await signOver(rows);
    for (const gone of [7, 8, 12, 16]) await d.world.documents.send(new DeleteCommand(key(gone)));
    const exported = await all('500');
    expect(wrong(exported)).toEqual([7, 12, 16]);
    expect(
      exported.lines.every(({ bytes, path }) => path.join() === provenIn(rows, JSON.parse(bytes).sequence).path.join()),
    ).toBe(true);
  });
  it.each<[string, (sequence: number, rows: readonly EntryRow[]) => Promise<unknown>]>([
    ['hash', (sequence) => edit(sequence, 'hash', 'a'.repeat(64))],
    [
      'nodes',
      (sequence, rows) =>
        edit(
          sequence,
          'nodes',
          rows[sequence - 1]?.nodes.map(() => 'b'.repeat(64)),
        ),
    ],
    ['nodes', (sequence) => edit(sequence, 'nodes', ['no', 1])],
  ])('accuses no entry when only the %s of rows are wrong', async (_what, damage) => {
    const rows = some(24);
    await write(rows);
    await signOver(rows);
    for (const sequence of [8, 20]) await damage(sequence, rows);
    expect(await all('500')).toMatchObject({ lines: rows.map(({ sequence }) => provenIn(rows, sequence)) });
  });
  it('says of those that nothing proves, and of no others, that they cannot be proven', async () => {
    const rows = some(16);
    await write(rows);
    await signOver(rows);
    for (const gone of [7, 8]) await d.world.documents.send(new DeleteCommand(key(gone)));
    const exported = await all('500');
    // What follows has no path, for node 1…8 is lost, but the head names its last entry, and that all those before it.
    expect(exported.lines.every(({ path }) => path.length === 0)).toBe(true);
    expect(wrong(exported)).toEqual([1, 7]);
    await edit(11, 'entry', rows[10]?.entry.replace('admin-one', 'admin-two'));
    await edit(11, 'hash', 'c'.repeat(64));
    expect(wrong(await all('500'))).toEqual([1, 7, 9, 11]);
  });

  it('before anything is signed says so', async () => {
    expect(await page()).toMatchObject({ status: 409, detail: expect.stringContaining('no head') });
  });
  it.each([
    [{ from_sequence: '0' }, 'from_sequence'],
    [{ from_sequence: '1.5' }, 'from_sequence'],
    [{ from_sequence: '4' }, 'from_sequence'],
    [{ from_sequence: '9'.repeat(16) }, 'from_sequence'],
    [{ head_size: '2' }, 'head_size'],
    [{ head_size: '4' }, 'head_size'],
    [{ head_size: 'x' }, 'head_size'],
    [{ limit: '0' }, 'limit'],
    [{ limit: '501' }, 'limit'],
    [{ since: '1h' }, 'since'],
  ])('refuses %j, naming %s', async (query, field) => {
    const rows = some(3);
    await write(rows);
    await signOver(rows);
    expect(await page(query)).toMatchObject({ status: 400, field });
  });
  it('is for admins, operators and auditors', async () => {
    await write(some(1));
    await signOver(some(1));
    for (const type of ['admin', 'operator', 'auditor']) expect((await page({}, type)).status).toBe(200);
    for (const type of ['worker', 'service', 'user']) expect((await page({}, type)).status).toBe(403);
  });
});
