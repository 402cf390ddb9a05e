/** The one right to change a physical thing (an ARN, an endpoint, the truststore), with a fencing number that only grows. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import type { Author } from './audit/stamp.ts';
import type { Change } from './aws/change.ts';
import { writeRow } from './aws/transact.ts';
import { type Row, unchanged } from './aws/unchanged.ts';
import { untilSettled } from './aws/until-settled.ts';
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

const leaseSchema = z.object({
  holder: z.string().optional(),
  fence: z.number().optional(),
  expires_at: z.number().optional(),
  wanted: z.boolean().optional(),
});

interface FoundLease extends z.infer<typeof leaseSchema> {
  readonly row: Row;
}

const leaseRow = (thing: string, found: FoundLease | undefined): Pick<Change, 'table' | 'key' | 'row'> => ({
  table: 'controls',
  key: controlKeys.lease(thing),
  row: found?.row,
});

/**
 * Takes the lease on `thing` for `ttl_ms`, or throws LeaseHeld at once: another has it, or an emergency wants it.
 * With `emergency` a wanted lease may be taken, and the wish is fulfilled by that; a held one still may not.
 */
export async function acquireLease(
  world: World,
  author: Author,
  thing: string,
  { holder, ttl_ms, emergency = false }: { holder: string; ttl_ms: number; emergency?: boolean },
): Promise<Lease> {
  const mine = `${holder}#${Buffer.from(world.randomBytes(8)).toString('hex')}`;
  const expires_at = world.now() + ttl_ms;
  return untilSettled(world, async () => {
    const found = await readLease(world, thing);
    const fence = (found?.fence ?? 0) + 1;
    // An attempt whose answer was lost, and which a wish for the lease was written over since.
    if (found?.holder === mine) return { thing, holder: mine, fence: found.fence ?? 0, expires_at };
    if (found !== undefined) refuseHeld(world, thing, found, emergency);
    const outcome = await writeRow(world, author, {
      ...leaseRow(thing, found),
      action: 'lease_taken',
      set: { holder: mine, expires_at, fence },
      remove: emergency ? ['wanted'] : [],
      condition: unchanged(found?.row ?? {}, ['holder', 'expires_at', 'fence', 'wanted']),
    });
    return outcome === 'again' ? 'again' : { thing, holder: mine, fence, expires_at };
  });
}

function refuseHeld(world: World, thing: string, found: FoundLease, emergency: boolean): void {
  if (found.wanted && !emergency) throw new LeaseHeld(`an emergency wants ${thing}`);
  if (found.expires_at !== undefined && found.expires_at > world.now() - clockSkew_ms)
    throw new LeaseHeld(`${found.holder ?? 'another holder'} is changing ${thing}; try again later`);
}

/** Gives the lease back; the fencing number stays. Releasing one that is already lost changes nothing. */
export async function releaseLease(world: World, author: Author, lease: Lease): Promise<void> {
  await untilSettled(world, async () => {
    const found = await readLease(world, lease.thing);
    if (found === undefined || !isHeldBy(lease, found)) return 'done';
    return writeRow(world, author, {
      ...leaseRow(lease.thing, found),
      action: 'lease_released',
      remove: ['holder', 'expires_at'],
      condition: unchanged(found.row, ['holder', 'fence']),
    });
  });
}

const isHeldBy = ({ holder, fence }: Lease, found: FoundLease): boolean =>
  found.holder === holder && found.fence === fence;

/**
 * Checks, strongly consistently, that the lease still holds and goes on for at least `needs_ms`: the longest that the
 * step about to be taken can last. Throws LeaseHeld when it is lost, too short, or wanted by an emergency.
 */
export async function assertLease(world: World, lease: Lease, { needs_ms }: { needs_ms: number }): Promise<void> {
  const row = await readLease(world, lease.thing);
  if (row === undefined || !isHeldBy(lease, row)) throw new LeaseHeld(`the lease on ${lease.thing} was lost`);
  if (row.wanted) throw new LeaseHeld(`an emergency wants ${lease.thing}`);
  const left = (row.expires_at ?? 0) - world.now();
  if (left < needs_ms)
    throw new LeaseHeld(`the lease on ${lease.thing} has ${Math.max(0, left)} ms left, ${needs_ms} are needed`);
}

/** An emergency asks for the lease: the holder's next check stops it, and none but an emergency may take it after. */
export async function wantLease(world: World, author: Author, thing: string): Promise<void> {
  await untilSettled(world, async () => {
    const found = await readLease(world, thing);
    if (found?.wanted) return 'done';
    return writeRow(world, author, {
      ...leaseRow(thing, found),
      action: 'lease_wanted',
      set: { wanted: true, ...(found?.fence === undefined ? { fence: 0 } : {}) },
      condition: unchanged(found?.row ?? {}, ['fence']),
    });
  });
}

async function readLease(world: World, thing: string): Promise<FoundLease | undefined> {
  const { Item } = await world.documents.send(
    new GetCommand({
      TableName: tableName(world.deployment, 'controls'),
      Key: { control_id: controlKeys.lease(thing) },
      ConsistentRead: true,
    }),
  );
  return Item === undefined ? undefined : { ...leaseSchema.parse(Item), row: Item };
}
