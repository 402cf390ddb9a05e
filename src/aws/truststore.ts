/** The truststore's object in S3: read with its ETag, written only if that is still the one. */
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  NoSuchBucket,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Conflict } from '../errors.ts';
import { truststoreKey } from '../names.ts';

export interface TruststoreContent {
  readonly pem: string;
  readonly etag: string;
  /** The object's version in S3, which the domain is told. */
  readonly version: string;
}

export interface TruststoreObject {
  /** The newest version; null when there is none. */
  readonly read: () => Promise<TruststoreContent | null>;
  /** Writes a new version over `expected`, null meaning that there is none yet. @throws Conflict when it was changed meanwhile */
  readonly write: (pem: string, expected: TruststoreContent | null) => Promise<TruststoreContent>;
  /** Removes every version, so that the bucket can be deleted. */
  readonly removeAll: () => Promise<void>;
}

export const openTruststore = (
  Bucket: string,
  client = new S3Client({ maxAttempts: 4, requestHandler: { connectionTimeout: 2_000, requestTimeout: 10_000 } }),
): TruststoreObject => ({
  read: async () => {
    try {
      const { Body, ETag, VersionId } = await client.send(new GetObjectCommand({ Bucket, Key: truststoreKey }));
      if (Body === undefined || ETag === undefined || VersionId === undefined)
        throw new Conflict('the truststore is in a bucket without versions');
      return { pem: await Body.transformToString(), etag: ETag, version: VersionId };
    } catch (error) {
      if (error instanceof NoSuchKey) return null;
      throw error;
    }
  },
  write: async (pem, expected) => {
    try {
      const { ETag, VersionId } = await client.send(
        new PutObjectCommand({
          Bucket,
          Key: truststoreKey,
          Body: pem,
          ContentType: 'application/x-pem-file',
          ...(expected === null ? { IfNoneMatch: '*' } : { IfMatch: expected.etag }),
        }),
      );
      if (ETag === undefined || VersionId === undefined)
        throw new Conflict('the truststore is in a bucket without versions');
      return { pem, etag: ETag, version: VersionId };
    } catch (error) {
      // 412: another version is there; 409: another is being written.
      const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
      if (status === 412 || status === 409) throw new Conflict('the truststore was changed meanwhile; try again');
      throw error;
    }
  },
  removeAll: async () => {
    try {
      for (;;) {
        const { Versions = [], DeleteMarkers = [] } = await client.send(
          new ListObjectVersionsCommand({ Bucket, Prefix: truststoreKey }),
        );
        const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
        if (Objects.length === 0) return;
        const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
        if (Errors[0] !== undefined) throw new Error(`a version of the truststore stays: ${Errors[0].Message}`);
      }
    } catch (error) {
      if (!(error instanceof NoSuchBucket)) throw error;
    }
  },
});
