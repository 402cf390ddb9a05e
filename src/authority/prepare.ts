/** What has to be there before the domain can be: a root in the truststore, `ca-cert`, and generation 0. */
import type { Author } from '../audit/stamp.ts';
import { batchGet } from '../aws/batch-get.ts';
import type { Change } from '../aws/change.ts';
import { assertCreating, isFirstRollback } from '../aws/custom-resource.ts';
import type { Parameters } from '../aws/parameters.ts';
import { transact } from '../aws/transact.ts';
import type { TruststoreObject } from '../aws/truststore.ts';
import { Conflict, LeaseHeld, Unavailable } from '../errors.ts';
import { acquireLease, releaseLease } from '../lease.ts';
import { controlKeys, generationCopies, leasedThings, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { changeBundle, holdsRootOf, publishedRoots } from './bundle.ts';
import { stillOurs, truststoreLease_ms } from './truststore.ts';

export interface PreparationWorld extends World {
  readonly truststore: TruststoreObject;
  readonly parameters: Pick<Parameters, 'read' | 'write'>;
  readonly removeBundle: () => Promise<void>;
  /** Public half (DER) of the stack's own key; null when that is not enabled. */
  readonly ownKey: () => Promise<Uint8Array | null>;
  /** A root certificate (PEM) of that key, signed now. */
  readonly signRoot: () => Promise<string>;
  readonly stackStatus: () => Promise<string>;
  /** ms until this function is cut off. */
  readonly remaining_ms: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

const patience_ms = 3_000;
/** Left for giving up in words, ms. */
const reserve_ms = 20_000;

/**
 * Prepares what is missing and leaves what is there; two at once end as one. Waits for another holder of the lease, and
 * for IAM, which needs seconds to know a role that was just made.
 * @throws Conflict, Unavailable
 */
export const prepareAuthority = (world: PreparationWorld, author: Author): Promise<void> =>
  patiently(world, () => prepareOnce(world, author));

async function patiently(world: PreparationWorld, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const passes = error instanceof LeaseHeld || (error instanceof Error && error.name.startsWith('AccessDenied'));
      if (!passes || world.remaining_ms() < reserve_ms + patience_ms) throw error;
      await world.sleep(patience_ms);
    }
  }
}

async function prepareOnce(world: PreparationWorld, author: Author): Promise<void> {
  const lease = await acquireLease(world, author, leasedThings.truststore, {
    holder: 'prepare-authority',
    ttl_ms: truststoreLease_ms,
  });
  const mayWrite = async (): Promise<void> => {
    await stillOurs(world, lease);
    await assertCreating(world.stackStatus);
  };
  try {
    const own = await world.ownKey();
    if (own === null) throw new Unavailable('the key of the authority is not enabled');
    const now = world.now();
    const found = await world.truststore.read();
    let pem = found?.pem ?? '';
    if (!holdsRootOf(pem, own, now)) {
      pem = changeBundle(pem, { add: [await world.signRoot()] }, { own, now });
      if (!holdsRootOf(pem, own, world.now())) throw new Conflict('the signer answered with a root of another key');
      await mayWrite();
      await world.truststore.write(pem, found);
    }
    const published = await world.parameters.read('ca-cert');
    const roots = publishedRoots(pem, own, published);
    if (published !== roots) {
      await mayWrite();
      await world.parameters.write('ca-cert', roots, 'plain');
    }
    await writeGeneration(world, author, mayWrite);
  } finally {
    await releaseLease(world, author, lease);
  }
}

/**
 * Only the rollback of a first creation takes away again what would keep its bucket from being deleted, or another
 * deployment from beginning. An update, its rollback and the deletion of the stack touch nothing. Waits as the
 * preparation does. @throws LeaseHeld when another holder is not done in time; the deletion may be repeated
 */
export async function unprepareAuthority(world: PreparationWorld, author: Author): Promise<'removed' | 'kept'> {
  if (!isFirstRollback(await world.stackStatus())) return 'kept';
  await patiently(world, () => removeOnce(world, author));
  return 'removed';
}

async function removeOnce(world: PreparationWorld, author: Author): Promise<void> {
  const lease = await acquireLease(world, author, leasedThings.truststore, {
    holder: 'unprepare-authority',
    ttl_ms: truststoreLease_ms,
  });
  try {
    await stillOurs(world, lease);
    await world.truststore.removeAll();
    await stillOurs(world, lease);
    await world.removeBundle();
  } finally {
    await releaseLease(world, author, lease);
  }
}

/** All copies in one transaction, or none; copies that are there, whatever they say, stay. */
async function writeGeneration(world: World, author: Author, mayWrite: () => Promise<void>): Promise<void> {
  const keys = Array.from({ length: generationCopies }, (_, copy) => controlKeys.generation(copy));
  const table = tableName(world.deployment, 'controls');
  const isPresent = async (): Promise<boolean> => {
    const rows = await batchGet(
      world,
      table,
      keys.map((control_id) => ({ control_id })),
    );
    return rows.length === generationCopies;
  };
  if (await isPresent()) return;
  await mayWrite();
  const copies = keys.map(
    (key): Change => ({
      table: 'controls',
      key,
      row: undefined,
      action: 'generation_prepared',
      set: { generation: 0 },
    }),
  );
  if ((await transact(world, author, copies)) === 'again' && !(await isPresent()))
    throw new Conflict('some copies of the generation are missing; restore the controls table');
}
