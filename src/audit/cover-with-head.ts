/** Sees to it that a signed head covers what was appended, at most one head a second among all writers. */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import { auditKeys, tableName } from '../names.ts';
import { deploymentWord, type ListedHead, signHead } from './head.ts';
import { type Position, presentPosition } from './position.ts';
import { rootOf } from './tree.ts';
import type { AuditWorld } from './world.ts';

/** ms between two heads. */
const period = 1_000;
/** Clocks differ by up to this much, ms: a turn that lies further ahead is not one that a writer took. */
const clockSkew = 5_000;
/** ms; whoever has waited so long signs out of turn: the turn saves work, nothing depends on it. */
const longestWait = 5_000;

/**
 * Returns only when a signed head of the position's size or more is kept where nobody can take it away, or none can be
 * signed: the tree over what was signed before is not to be had, which alarms.
 * @throws what KMS, S3 and DynamoDB throw: then it is to be called again
 */
export const coverWithHead = async (world: AuditWorld, position: Pick<Position, 'size' | 'hash'>): Promise<void> => {
  if (position.size === 0) return;
  for (let waited = 0; !(await isCovered(world, position)); ) {
    const left = waited >= longestWait ? 0 : await takeTurn(world);
    if (left === 0) return writeHead(world);
    await world.sleep(left);
    waited += left;
  }
};

const writeHead = async (world: AuditWorld): Promise<void> => {
  const { position } = await presentPosition(world);
  const { size, hash, frontier, isUnproven } = position;
  // To throw would stop the stream. That no head comes is what verification says, until the entries are back.
  if (isUnproven) return world.alarm('no head is signed while entries are not as they were signed', { size });
  const head = { deployment: deploymentWord(world.deployment), size, hash, root: rootOf(frontier) };
  await world.heads.write(await signHead({ ...head, signed_at: world.now() }, world.signHead));
};

const isCovered = async (world: AuditWorld, position: Pick<Position, 'size' | 'hash'>): Promise<boolean> => {
  const newest = await world.heads.newest();
  if (newest === null || newest.size < position.size) return false;
  for await (const listed of world.heads.listed({ from: position.size }))
    if (await isOurs(world, position, listed)) return true;
  return false;
};

const rowSchema = z.object({ hash: z.string() });

/** Whether it is a head of this very chain, signed by the deployment. */
const isOurs = async (
  world: AuditWorld,
  position: Pick<Position, 'size' | 'hash'>,
  listed: ListedHead,
): Promise<boolean> => {
  const { size, hash, key } = listed;
  const rows =
    size === position.size
      ? [position]
      : await batchGet(world, tableName(world.deployment, 'audit'), [{ chain: auditKeys.chain, sequence: size }]);
  const ours = rowSchema.safeParse(rows[0]).data?.hash === hash && (await world.heads.read(listed)) !== null;
  if (!ours) world.alarm('an object among the heads is no head of this chain', { key });
  return ours;
};

/** 0 when the turn is taken; else how long (ms) to wait before asking again. What no writer put into the row counts as none. */
const takeTurn = async (world: AuditWorld): Promise<number> => {
  const now = world.now();
  try {
    await world.documents.send(
      new UpdateCommand({
        TableName: tableName(world.deployment, 'audit'),
        Key: { chain: auditKeys.turn, sequence: 0 },
        UpdateExpression: 'SET #at = :now',
        ConditionExpression: 'NOT (attribute_type(#at, :number) AND #at BETWEEN :from AND :to)',
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: { ':now': now, ':number': 'N', ':from': now - period, ':to': now + clockSkew },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    );
    return 0;
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    const at = Number(error.Item?.at?.N ?? now);
    return Math.min(Math.max(at + period - now, 1), period);
  }
};
