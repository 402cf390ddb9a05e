/** One DynamoDB transaction, each of its conditions with the refusal that it stands for, repeated after conflicts. */
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { Unavailable } from '../errors.ts';
import type { World } from '../world.ts';

export type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

export interface Step {
  readonly item: TransactItem;
  /** What a failed condition means: a refusal, or that what was read is old and must be read again. */
  readonly otherwise: Error | 'again';
}

/**
 * Writes all steps or none. The first step whose condition fails decides: its refusal is thrown, or 'again' is
 * returned, as it is when another transaction was at the same items. A lost answer is repeated by the SDK under the
 * same token, so it cannot be taken for a refusal.
 */
export const transact = async (world: World, steps: readonly Step[]): Promise<'done' | 'again'> => {
  try {
    await world.documents.send(new TransactWriteCommand({ TransactItems: steps.map(({ item }) => item) }));
    return 'done';
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    const codes = (error.CancellationReasons ?? []).map((reason) => reason.Code ?? 'None');
    const failed = codes.indexOf('ConditionalCheckFailed');
    if (failed !== -1) {
      const otherwise = steps[failed]?.otherwise ?? error;
      if (otherwise !== 'again') throw otherwise;
      return 'again';
    }
    if (codes.includes('TransactionConflict')) return 'again';
    throw error;
  }
};

const attempts = 10;
/** ms; the wait before attempt n is random below 2^n of these, at most `longestWait`. */
const firstWait = 20;
const longestWait = 800;

/** ms; no attempt begins later than this, well within the 25 s of a function. */
const longest = 15_000;

/**
 * Runs an attempt that reads afresh until it answers neither 'again' nor 'more', which says that it wrote a part.
 * @throws Unavailable after ten attempts without progress, or when time is short
 */
export const untilSettled = async <T>(world: World, attempt: () => Promise<T | 'again' | 'more'>): Promise<T> => {
  const began = world.now();
  for (let n = 0; n < attempts; n += 1) {
    const outcome = await attempt();
    if (outcome !== 'again' && outcome !== 'more') return outcome;
    if (world.now() - began > longest) throw new Unavailable('not everything is done yet; repeat the request');
    if (outcome === 'more') {
      n = -1;
      continue;
    }
    const share = ((world.randomBytes(1)[0] ?? 0) + 1) / 256;
    await new Promise((resolve) => setTimeout(resolve, share * Math.min(longestWait, firstWait * 2 ** n)));
  }
  throw new Unavailable('too many changes at once; try again');
};
