/** Signed heads in their bucket, read by version: what was put over one later, a delete marker or another text, hides nothing. */
import type { KeyObject } from 'node:crypto';
import {
  GetObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import {
  beforeHeadsOf,
  deploymentWord,
  type HeadStore,
  headKey,
  type ListedHead,
  openHead,
  readHeadKey,
  type SignedHead,
} from '../audit/head.ts';
import { type Deployment, headsPrefix } from '../names.ts';

interface Signer {
  readonly deployment: Deployment;
  readonly publicKey: () => Promise<KeyObject>;
}

/** A head is some 500 bytes; of what is longer, and so none, no more is read. */
const Range = 'bytes=0-9999';
/** What S3 answers for objects that somebody made unreadable on purpose: empty, archived, encrypted with a key of theirs. */
const unreadable = new Set(['InvalidRange', 'InvalidObjectState', 'InvalidRequest']);
const pageKeys = 1_000;

export const openHeads = (
  Bucket: string,
  { deployment, publicKey }: Signer,
  client = new S3Client({ maxAttempts: 4, requestHandler: { connectionTimeout: 2_000, requestTimeout: 10_000 } }),
): HeadStore => {
  /** Heads by name, from a key on; one whose versions stand on two pages comes once, with all of them. */
  async function* list(KeyMarker: string | undefined, MaxKeys: number): AsyncIterable<ListedHead> {
    let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = { KeyMarker };
    let open: Gathered | undefined;
    for (;;) {
      const page = await client.send(
        new ListObjectVersionsCommand({ Bucket, Prefix: headsPrefix, MaxKeys, ...marker }),
      );
      for (const object of objectsOf(page)) {
        if (open !== undefined && open.key !== object.key) {
          yield listedHead(open);
          open = undefined;
        }
        const named = readHeadKey(object.key);
        if (named === null) continue;
        open ??= { ...named, key: object.key, versions: [], hidden: false };
        if (object.version === null) open.hidden = true;
        else open.versions.push(object.version);
      }
      if (page.IsTruncated !== true) break;
      marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
    }
    if (open !== undefined) yield listedHead(open);
  }

  const text = async (Key: string, VersionId: string): Promise<string> => {
    try {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, VersionId, Range }));
      return (await Body?.transformToString()) ?? '';
    } catch (error) {
      if (error instanceof S3ServiceException && unreadable.has(error.name)) return '';
      throw error;
    }
  };

  const read: HeadStore['read'] = async ({ key, versions }) => {
    const signer = await publicKey();
    for (const version of versions) {
      const head = openHead(signer, deploymentWord(deployment), await text(key, version));
      if (head !== null && headKey(head) === key) return head;
    }
    return null;
  };

  const put = (head: SignedHead, condition: { readonly IfNoneMatch?: '*' }) =>
    client.send(
      new PutObjectCommand({
        Bucket,
        Key: headKey(head),
        Body: JSON.stringify(head),
        ContentType: 'application/json',
        ...condition,
      }),
    );

  return {
    newest: async () => {
      // Versions of one key come together: a few are enough for the first key, or the iteration goes on.
      for await (const head of list(undefined, 5)) return head;
      return null;
    },
    listed: async function* ({ from = 1, to }) {
      for await (const head of list(to === undefined ? undefined : beforeHeadsOf(to), pageKeys)) {
        if (head.size < from) return;
        if (to === undefined || head.size <= to) yield head;
      }
    },
    read,
    write: async (head) => {
      try {
        await put(head, { IfNoneMatch: '*' });
      } catch (error) {
        // 412: something is there; 409: something is being written.
        const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
        if (status !== 412 && status !== 409) throw error;
        const key = headKey(head);
        for await (const there of list(beforeHeadsOf(head.size), pageKeys)) {
          if (there.size < head.size) break;
          if (there.key === key && (await read(there)) !== null) return;
        }
        // Whoever knows the hash can put something else there first; it becomes an earlier version, and no head.
        await put(head, {});
      }
    },
  };
};

interface Gathered {
  readonly size: number;
  readonly hash: string;
  readonly root: string;
  readonly key: string;
  /** The newest first, as S3 lists them. */
  readonly versions: string[];
  hidden: boolean;
}

const listedHead = ({ versions, ...head }: Gathered): ListedHead => ({ ...head, versions: [...versions].reverse() });

/** Versions and delete markers (those without a version) of one page, by key. */
const objectsOf = ({ Versions = [], DeleteMarkers = [] }: ListObjectVersionsCommandOutput) =>
  [
    ...Versions.map(({ Key = '', VersionId = 'null' }) => ({ key: Key, version: VersionId })),
    ...DeleteMarkers.map(({ Key = '' }) => ({ key: Key, version: null })),
  ].sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0));
