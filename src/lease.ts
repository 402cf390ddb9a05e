/** The one right to change a physical thing (an ARN, an endpoint, the truststore), with a fencing number that only grows. */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { LeaseHeld } from './errors.ts';
import { controlKeys, tableName } from './names.ts';
import type { World } from './world.ts';

export interface Lease {
  readonly thing: string;
  /** The holder's name, made unique, so that two runs of one function are two holders. */
  readonly holder: string;
  /** Greater than that of every earlier lease on the same thing. Targets that can refuse a smaller one do. */
  readonly fence: number;
  /** Milliseconds since the epoch. */
  readonly expires_at: number;
}

/** Another holder's lease counts as over only this long (ms) after its end: clocks differ by up to five seconds. */
export const clockSkew_ms = 5_000;

const leaseRow = z.object({
  holder: z.string().optional(),
  fence: z.number(),
  expires_at: z.number().optional(),
  wanted: z.boolean().optional(),
});

const leaseKey = (thing: string): { control_id: string } => ({ control_id: controlKeys.lease(thing) });

const controls = (world: World): string => tableName(world.deployment, 'controls');

/**
 * Takes the lease on `thing` for `ttl_ms`, or throws LeaseHeld at once: another has it, or an emergency wants it.
 * With `emergency` a wanted lease may be taken, and the wish is fulfilled by that; a held one still may not.
 */
export async function acquireLease(
  world: World,
  thing: string,
  { holder, ttl_ms, emergency = false }: { holder: string; ttl_ms: number; emergency?: boolean },
): Promise<Lease> {
  const now = world.now();
  const mine = `${holder}#${Buffer.from(world.randomBytes(8)).toString('hex')}`;
  const expires_at = now + ttl_ms;
  const lease = (row: unknown): Lease => ({ thing, holder: mine, fence: leaseRow.parse(row).fence, expires_at });
  const free = '(attribute_not_exists(expires_at) OR expires_at <= :over)';
  const unwanted = '(attribute_not_exists(wanted) OR wanted = :false)';
  try {
    const { Attributes } = await world.documents.send(
      new UpdateCommand({
        TableName: controls(world),
        Key: leaseKey(thing),
        UpdateExpression: `SET holder = :mine, expires_at = :until, fence = if_not_exists(fence, :zero) + :one${emergency ? ' REMOVE wanted' : ''}`,
        ConditionExpression: emergency ? free : `${free} AND ${unwanted}`,
        ExpressionAttributeValues: {
          ':mine': mine,
          ':until': expires_at,
          ':zero': 0,
          ':one': 1,
          ':over': now - clockSkew_ms,
          ...(emergency ? {} : { ':false': false }),
        },
        ReturnValues: 'ALL_NEW',
      }),
    );
    return lease(Attributes);
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    // The SDK repeats a request whose answer was lost; the repetition then meets the row that the first one wrote.
    const row = await readLease(world, thing);
    if (row?.holder === mine) return lease(row);
    throw new LeaseHeld(
      row?.wanted
        ? `an emergency wants ${thing}`
        : `${row?.holder ?? 'another holder'} is changing ${thing}; try again later`,
    );
  }
}

/** Gives the lease back; the fencing number stays. Releasing one that is already lost changes nothing. */
export async function releaseLease(world: World, lease: Lease): Promise<void> {
  try {
    await world.documents.send(
      new UpdateCommand({
        TableName: controls(world),
        Key: leaseKey(lease.thing),
        UpdateExpression: 'REMOVE holder, expires_at',
        ConditionExpression: 'holder = :holder AND fence = :fence',
        ExpressionAttributeValues: { ':holder': lease.holder, ':fence': lease.fence },
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
  }
}

/**
 * Checks, strongly consistently, that the lease still holds and goes on for at least `needs_ms`: the longest that the
 * step about to be taken can last. Throws LeaseHeld when it is lost, too short, or wanted by an emergency.
 */
export async function assertLease(world: World, lease: Lease, { needs_ms }: { needs_ms: number }): Promise<void> {
  const row = await readLease(world, lease.thing);
  if (row?.holder !== lease.holder || row.fence !== lease.fence)
    throw new LeaseHeld(`the lease on ${lease.thing} was lost`);
  if (row.wanted) throw new LeaseHeld(`an emergency wants ${lease.thing}`);
  const left = (row.expires_at ?? 0) - world.now();
  if (left < needs_ms)
    throw new LeaseHeld(`the lease on ${lease.thing} has ${Math.max(0, left)} ms left, ${needs_ms} are needed`);
}

/** An emergency asks for the lease: the holder's next check stops it, and none but an emergency may take it after. */
export async function wantLease(world: World, thing: string): Promise<void> {
  await world.documents.send(
    new UpdateCommand({
      TableName: controls(world),
      Key: leaseKey(thing),
      UpdateExpression: 'SET wanted = :true, fence = if_not_exists(fence, :zero)',
      ExpressionAttributeValues: { ':true': true, ':zero': 0 },
    }),
  );
}

async function readLease(world: World, thing: string): Promise<z.infer<typeof leaseRow> | undefined> {
  const { Item } = await world.documents.send(
    new GetCommand({ TableName: controls(world), Key: leaseKey(thing), ConsistentRead: true }),
  );
  return Item === undefined ? undefined : leaseRow.parse(Item);
}
