/** One turn of the state machine verify-audit: `{state?}` → `{done, state}` or `{done, verdict}`. */
import { z } from 'zod';
import { reportVerdict } from '../../src/audit/report-verdict.ts';
import { verificationSchema } from '../../src/audit/verification.ts';
import { beginChain, continueChain } from '../../src/audit/verify-chain.ts';
import { verifyingWorld } from '../../src/aws/verifying-world.ts';
import { internal } from '../../src/remote-error.ts';

/** Whoever waits for the verification is told how far the turn before came. */
const turn_ms = 30_000;

// Started by a schedule, it begins from nothing, with whatever else the schedule says.
const input = z.object({ state: verificationSchema.optional() });

export const handler = internal(input, async ({ state: begun }) => {
  const world = verifyingWorld();
  const { state, verdict } = await continueChain(world, begun ?? (await beginChain(world)), turn_ms);
  if (verdict === null) return { done: false, state };
  reportVerdict(world, verdict);
  return { done: true, verdict };
});
