/** A chain of its own in the shared emulator, writers that can be made to fail at every step, and what holds of it always. */
import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { type Entry, entryBytes, entryHash, entrySchema, noEntry } from '../../src/audit/entry.ts';
import {
  deploymentWord,
  type HeadStore,
  headBytes,
  headKey,
  type ListedHead,
  type SignedHead,
} from '../../src/audit/head.ts';
import { openRow } from '../../src/audit/seal.ts';
import { addLeaf, emptyFrontier, rootOf } from '../../src/audit/tree.ts';
import type { AuditWorld } from '../../src/audit/world.ts';
import { documentClient } from '../../src/aws/world.ts';
import { auditKeys, tableName } from '../../src/names.ts';
import type { TestEmulator } from '../emulator.ts';
import { testStampKey } from '../stamps.ts';
import { createTables } from '../tables.ts';

const rowSchema = z.strictObject({
  chain: z.string(),
  sequence: z.number(),
  entry: z.string(),
  hash: z.string(),
  action: z.string(),
  nodes: z.array(z.string()),
});
export type StoredRow = z.infer<typeof rowSchema>;

/** A step of a writer's: a request, or a signature. */
export type Step = (name: string, go: () => Promise<unknown>, command?: object) => Promise<unknown>;
const undisturbed: Step = (_, go) => go();

export const makeChain = async (emulator: TestEmulator) => {
  const deployment = { name: `t${randomBytes(5).toString('hex')}`, environment: 'dev' };
  const client = emulator.client(DynamoDBClient);
  const documents = documentClient(client);
  await createTables(client, deployment, ['audit']);
  const TableName = tableName(deployment, 'audit');
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kept = new Map<string, SignedHead>();
  const alarms: string[] = [];
  /** What was counted and warned of, in its order. */
  const told: Readonly<Record<string, unknown>>[] = [];

  const isGenuine = ({ signature, ...head }: SignedHead): boolean =>
    head.deployment === deploymentWord(deployment) &&
    verify('sha256', headBytes(head), { key: publicKey, dsaEncoding: 'der' }, Buffer.from(signature, 'base64'));
  const listed = (): ListedHead[] =>
    [...kept]
      .map(([key, { size, hash, root }]) => ({ key, size, hash, root, versions: ['1'], hidden: false }))
      .sort((one, other) => other.size - one.size);
  const heads: HeadStore = {
    newest: async () => listed()[0] ?? null,
    listed: async function* ({ from = 1, to = Number.MAX_SAFE_INTEGER }) {
      yield* listed().filter(({ size }) => size >= from && size <= to);
    },
    read: async ({ key }) => {
      const head = kept.get(key);
      return head !== undefined && isGenuine(head) ? head : null;
    },
    write: async (head) => {
      const there = kept.get(headKey(head));
      if (there === undefined || !isGenuine(there)) kept.set(headKey(head), head);
    },
  };

  /** A writer with a memory of its own, whose steps go through `step`. */
  const writer = ({
    step = undisturbed,
    now = Date.now,
    stampKey = testStampKey,
    sleep = (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 20))),
  }: {
    step?: Step;
    now?: () => number;
    stampKey?: Uint8Array;
    sleep?: (ms: number) => Promise<void>;
  } = {}): AuditWorld => {
    const send = (command: object) =>
      step(command.constructor.name, () => Reflect.apply(documents.send, documents, [command]), command);
    return {
      deployment,
      now,
      randomBytes: (size) => randomBytes(size),
      documents: new Proxy(documents, {
        get: (target, name) => (name === 'send' ? send : Reflect.get(target, name)),
      }),
      stampKey: async () => stampKey,
      heads: {
        ...heads,
        write: async (head) => {
          await step('write', () => heads.write(head));
        },
      },
      signHead: async (bytes) => {
        await step('sign', async () => undefined);
        return sign('sha256', bytes, privateKey);
      },
      sleep,
      memory: {},
      alarm: (problem) => {
        alarms.push(problem);
      },
      warn: (problem, fields) => {
        told.push({ warned: problem, ...fields });
      },
      count: (counts) => {
        told.push({ counted: counts });
      },
    };
  };

  const items = async (): Promise<Record<string, unknown>[]> => {
    const all: Record<string, unknown>[] = [];
    let ExclusiveStartKey: Record<string, unknown> | undefined;
    do {
      const page = await documents.send(
        new QueryCommand({
          TableName,
          KeyConditionExpression: 'chain = :chain',
          ExpressionAttributeValues: { ':chain': auditKeys.chain },
          ConsistentRead: true,
          ExclusiveStartKey,
        }),
      );
      all.push(...(page.Items ?? []));
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey !== undefined);
    return all;
  };
  const rows = async (): Promise<StoredRow[]> => (await items()).map((item) => rowSchema.parse(item));
  const put = (Item: Record<string, unknown>) => documents.send(new PutCommand({ TableName, Item }));
  /** Whether it was put: there was nothing of that key. */
  const putNew = async (Item: Record<string, unknown>): Promise<boolean> => {
    try {
      await documents.send(new PutCommand({ TableName, Item, ConditionExpression: 'attribute_not_exists(chain)' }));
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  };
  const remove = (chain: string, sequence: number | bigint) =>
    documents.send(new DeleteCommand({ TableName, Key: { chain, sequence } }));

  /** The entries, after everything that holds of every chain has been seen to hold. */
  const entries = async (): Promise<Entry[]> => soundEntries(await rows(), deployment);
  /** The root that a head over these rows has to have. */
  const rootAt = async (size: number): Promise<string> =>
    rootOf(
      (await rows()).slice(0, size).reduce((frontier, { hash }) => addLeaf(frontier, hash).frontier, emptyFrontier),
    );
  return {
    deployment,
    client,
    documents,
    TableName,
    kept,
    alarms,
    told,
    writer,
    rows,
    items,
    entries,
    rootAt,
    put,
    putNew,
    remove,
    isGenuine,
  };
};
export type TestChain = Awaited<ReturnType<typeof makeChain>>;

const check = (holds: boolean, what: string, sequence: number): void => {
  if (!holds) throw new Error(`entry ${sequence}: ${what}`);
};

const soundEntries = (rows: readonly StoredRow[], deployment: TestChain['deployment']): Entry[] => {
  let previous = noEntry;
  let last = 0;
  let frontier = emptyFrontier;
  return rows.map((row, index) => {
    const entry = entrySchema.parse(JSON.parse(row.entry));
    const added = addLeaf(frontier, row.hash);
    frontier = added.frontier;
    check(row.sequence === index + 1 && entry.sequence === row.sequence, 'out of sequence', index + 1);
    check(entryBytes(entry) === row.entry, 'not canonical', row.sequence);
    check(entryHash(row.entry) === row.hash, 'another hash', row.sequence);
    check(entry.previous === previous, 'not linked', row.sequence);
    check(entry.action === row.action, 'another action', row.sequence);
    check(JSON.stringify(added.completed) === JSON.stringify(row.nodes), 'other nodes', row.sequence);
    check(entry.appended_at >= last, 'entered before the one before', row.sequence);
    check(openRow(testStampKey, deployment, row) !== null, 'not sealed', row.sequence);
    previous = row.hash;
    last = entry.appended_at;
    return entry;
  });
};

/** Fails the step with this number, from 0: before it is taken, or after, when only its answer is lost. */
export const failingAt = (at: number, when: 'before' | 'after') => {
  let count = 0;
  const step: Step = async (name, go) => {
    const mine = count++ === at;
    const failure = () => new Error(`${name} failed, and ${when === 'before' ? 'did not happen' : 'happened'}`);
    if (mine && when === 'before') throw failure();
    if (!mine) return go();
    // Whatever the answer was, it is lost.
    await go().catch(() => undefined);
    throw failure();
  };
  return { step, reached: (): boolean => count > at };
};

/** Runs `attempt` with each of its steps failing, both ways, until one has no such step. @returns how many steps there were */
export const withEveryFailure = async (
  attempt: (failing: ReturnType<typeof failingAt>, when: 'before' | 'after') => Promise<void>,
): Promise<number> => {
  for (let at = 0; ; at += 1)
    for (const when of ['before', 'after'] as const) {
      const failing = failingAt(at, when);
      await attempt(failing, when);
      if (!failing.reached()) return at;
    }
};
