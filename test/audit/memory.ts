/** A chain and its heads in memory, and the world of whoever verifies it: the product's own requests, answered from there. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { type AttributeValue, DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import { BatchGetCommand } from '@aws-sdk/lib-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import {
  deploymentWord,
  type HeadStore,
  headKey,
  type ListedHead,
  openHead,
  readHeadKey,
  type SignedHead,
  signHead,
} from '../../src/audit/head.ts';
import type { Position } from '../../src/audit/position.ts';
import { rootOf } from '../../src/audit/tree.ts';
import type { VerifyingWorld } from '../../src/audit/verify-chain.ts';
import { documentClient } from '../../src/aws/world.ts';
import { testStampKey } from '../stamps.ts';

export const deployment = { name: 'airunner', environment: 'prod' };
export const headsKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const foreignKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });

export type Row = Readonly<Record<string, unknown>>;

/** An object of the bucket, by key: its versions' texts, the oldest first. */
export interface Kept {
  readonly texts: readonly string[];
  readonly hidden?: true;
}
export type Bucket = ReadonlyMap<string, Kept>;

export const signAs = (
  head: Pick<SignedHead, 'size' | 'hash' | 'root' | 'signed_at'>,
  privateKey: KeyObject = headsKey.privateKey,
  word = deploymentWord(deployment),
): Promise<SignedHead> => signHead({ ...head, deployment: word }, async (bytes) => sign('sha256', bytes, privateKey));

/** As the product signs it where the chain ends there. */
export const headAt = ({ size, hash, frontier, appended_at }: Position): Promise<SignedHead> =>
  signAs({ size, hash, root: rootOf(frontier), signed_at: appended_at + 400 });

export const bucketOf = (heads: readonly SignedHead[]): Bucket =>
  new Map(heads.map((head) => [headKey(head), { texts: [JSON.stringify(head)] }]));

/** Signatures are looked at once; a run of the tests verifies the same heads thousands of times. */
const opened = new Map<string, SignedHead | null>();
const open = (text: string): SignedHead | null => {
  let head = opened.get(text);
  if (head === undefined) {
    head = openHead(headsKey.publicKey, deploymentWord(deployment), text);
    opened.set(text, head);
  }
  return head;
};

const storeOf = (bucket: Bucket): HeadStore => {
  const all = [...bucket]
    .flatMap(([key, { texts, hidden = false }]): ListedHead[] => {
      const named = readHeadKey(key);
      return named === null ? [] : [{ ...named, key, versions: texts.map((_, at) => String(at)), hidden }];
    })
    .sort((one, other) => (one.key < other.key ? -1 : 1));
  return {
    newest: async () => all[0] ?? null,
    listed: async function* ({ from = 1, to = Number.MAX_SAFE_INTEGER }) {
      yield* all.filter(({ size }) => size >= from && size <= to);
    },
    read: async ({ key }) => {
      const heads = (bucket.get(key)?.texts ?? []).map(open);
      return heads.find((head) => head !== null && headKey(head) === key) ?? null;
    },
    write: () => Promise.reject(new Error('nobody who verifies writes')),
  };
};

/** Rows that are changed are made anew; the others are the same in thousands of runs. */
const typed = new WeakMap<Row, Record<string, AttributeValue>>();
/** As DynamoDB hands it out. `sequence` may be a text, where JavaScript has no such number. */
const stored = (row: Row): Record<string, AttributeValue> => {
  const { sequence, ...rest } = row;
  const item = typed.get(row) ?? { ...marshall(rest), sequence: { N: String(sequence) } };
  typed.set(row, item);
  return item;
};

const client = documentClient(new DynamoDBClient({ region: 'us-east-1' }));

/** `rows` in the order of their sequences; a query answers `pageRows` of them. */
export const worldOf = (
  rows: readonly Row[],
  bucket: Bucket,
  { pageRows = 1_000, now = Date.now }: { readonly pageRows?: number; readonly now?: () => number } = {},
): VerifyingWorld => {
  const answer = (command: unknown): object => {
    if (command instanceof QueryCommand) {
      const { ExpressionAttributeValues = {}, ExclusiveStartKey } = command.input;
      const [least, most] = [':least', ':most'].map((name) => Number(ExpressionAttributeValues[name]?.N));
      const after = Number(ExclusiveStartKey?.sequence?.N ?? Number.NEGATIVE_INFINITY);
      const found = rows.filter(({ sequence }) => {
        const at = Number(sequence);
        return at >= Number(least) && at <= Number(most) && at > after;
      });
      const Items = found.slice(0, pageRows).map(stored);
      const { chain, sequence } = Items.at(-1) ?? {};
      return { Items, ...(found.length > pageRows ? { LastEvaluatedKey: { chain, sequence } } : {}) };
    }
    if (command instanceof BatchGetCommand) {
      const Responses = Object.entries(command.input.RequestItems ?? {}).map(([table, { Keys = [] }]) => [
        table,
        Keys.flatMap((key) => rows.find(({ sequence }) => sequence === key.sequence) ?? []),
      ]);
      return { Responses: Object.fromEntries(Responses) };
    }
    throw new Error('nobody who verifies asks for anything else');
  };
  const send: VerifyingWorld['documents']['send'] = async (command: unknown) => answer(command);
  return {
    deployment,
    now,
    randomBytes: (size) => randomBytes(size),
    documents: new Proxy(client, {
      get: (target, name) => (name === 'send' ? send : Reflect.get(target, name)),
    }),
    stampKey: async () => testStampKey,
    heads: storeOf(bucket),
  };
};
