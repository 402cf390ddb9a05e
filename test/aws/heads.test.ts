/** Signed heads in a bucket with versions, whatever somebody puts over or beside them. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { beforeEach, expect, it } from 'vitest';
import { type HeadStore, headKey, type ListedHead, type SignedHead, signHead } from '../../src/audit/head.ts';
import { newestHead } from '../../src/audit/newest-head.ts';
import { openHeads } from '../../src/aws/heads.ts';
import { describeWithEmulator } from '../emulator.ts';

const deployment = { name: 'airunner', environment: 'prod' };
const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const theirs = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const headOf = (size: number, privateKey: KeyObject = ours.privateKey, hash = 'a'.repeat(64)): Promise<SignedHead> =>
  signHead({ deployment: 'airunner/prod', size, hash, root: 'b'.repeat(64), signed_at: size }, async (bytes) =>
    sign('sha256', bytes, privateKey),
  );

describeWithEmulator('heads in S3', (emulator) => {
  const client = emulator.client(S3Client);
  let Bucket = '';
  let store: HeadStore;
  let buckets = 0;

  beforeEach(async () => {
    Bucket = `heads-${Date.now().toString(36)}-${buckets++}`;
    await client.send(new CreateBucketCommand({ Bucket }));
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    store = openHeads(Bucket, { deployment, publicKey: async () => ours.publicKey }, client);
  });

  const put = (Key: string, Body: string) => client.send(new PutObjectCommand({ Bucket, Key, Body }));
  const all = async (sizes: { from?: number; to?: number } = {}): Promise<ListedHead[]> => {
    const listed: ListedHead[] = [];
    for await (const head of store.listed(sizes)) listed.push(head);
    return listed;
  };
  const versions = async () => (await client.send(new ListObjectVersionsCommand({ Bucket }))).Versions?.length ?? 0;

  it('are none in an empty bucket', async () => {
    expect(await store.newest()).toBeNull();
    expect(await all()).toEqual([]);
    expect(await newestHead(store)).toBeNull();
  });

  it('come the largest first, within the sizes asked for', async () => {
    for (const size of [7, 1, 30, 100, 12]) await store.write(await headOf(size));
    const sizes = async (range: { from?: number; to?: number }) => (await all(range)).map(({ size }) => size);
    expect(await sizes({})).toEqual([100, 30, 12, 7, 1]);
    expect(await sizes({ from: 7, to: 30 })).toEqual([30, 12, 7]);
    expect(await sizes({ from: 8, to: 29 })).toEqual([12]);
    expect(await sizes({ to: 1 })).toEqual([1]);
    expect(await sizes({ from: 101 })).toEqual([]);
    const newest = await store.newest();
    expect(newest).toMatchObject({ size: 100, hash: 'a'.repeat(64), hidden: false });
    expect(newest && (await store.read(newest))).toEqual(await newestHead(store));
    expect(await newestHead(store, { to: 29 })).toMatchObject({ size: 12 });
  });

  it('are written once, however often', async () => {
    const head = await headOf(5);
    for (const again of [head, await headOf(5)]) await store.write(again);
    expect(await versions()).toBe(1);
    expect(await newestHead(store)).toEqual(head);
  });

  it('are written although somebody who foresaw their name was there first', async () => {
    const head = await headOf(5);
    await put(headKey(head), 'nothing');
    await put(headKey(head), JSON.stringify(await headOf(5, theirs.privateKey)));
    await store.write(head);
    expect(await newestHead(store)).toEqual(head);
    await store.write(await headOf(5));
    expect(await versions()).toBe(3);
  });

  it('stay what they were, whatever is put over them', async () => {
    const head = await headOf(5);
    const Key = headKey(head);
    await store.write(head);
    for (let n = 0; n < 12; n += 1) await put(Key, n % 2 === 0 ? `version ${n}` : 'x'.repeat(50_000));
    await put(Key, ' ');
    await put(Key, JSON.stringify(await headOf(6)));
    expect(await newestHead(store)).toEqual(head);
    // More versions than one page of the short list holds.
    expect((await store.newest())?.versions).toHaveLength(15);
    await client.send(new DeleteObjectCommand({ Bucket, Key }));
    expect(await all()).toMatchObject([{ size: 5, hidden: true }]);
    expect(await newestHead(store)).toEqual(head);
  });

  it('are not others’, and others do not stand in the way', async () => {
    const head = await headOf(5);
    await store.write(head);
    const foreign: ListedHead[] = [];
    for (const size of [6, 7, 8, 9, 10, 11, 12]) {
      const forged = await headOf(size, theirs.privateKey);
      await put(headKey(forged), JSON.stringify(forged));
    }
    // Ours, under another's name; and what is no head by its name.
    await put(headKey({ ...head, size: 13 }), JSON.stringify(head));
    await put('heads/0', 'x');
    await put('heads/zzz', 'x');
    expect(await newestHead(store, { foreign: (listed) => foreign.push(listed) })).toEqual(head);
    expect(foreign.map(({ size }) => size)).toEqual([13, 12, 11, 10, 9, 8, 7, 6]);
  });

  it('are found behind more than one page of the list', async () => {
    const keys: string[] = [];
    for (let size = 1; size <= 1_050; size += 1)
      keys.push(headKey({ size, hash: 'c'.repeat(64), root: 'd'.repeat(64) }));
    for (let at = 0; at < keys.length; at += 50)
      await Promise.all(keys.slice(at, at + 50).map((Key) => put(Key, 'nothing')));
    const head = await headOf(1);
    await store.write(head);
    expect((await all()).map(({ size }) => size)).toEqual([...Array.from({ length: 1_050 }, (_, n) => 1_050 - n), 1]);
    expect(await newestHead(store, { to: 20 })).toEqual(head);
  }, 60_000);

  it('cannot be told from nothing when the bucket cannot be read', async () => {
    const broken = openHeads(`${Bucket}-gone`, { deployment, publicKey: async () => ours.publicKey }, client);
    await expect(newestHead(broken)).rejects.toMatchObject({ name: 'NoSuchBucket' });
    await expect(broken.write(await headOf(1))).rejects.toMatchObject({ name: 'NoSuchBucket' });
  });
});
