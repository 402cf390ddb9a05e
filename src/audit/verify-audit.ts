/** Verifies the chain while a caller waits; what takes longer goes on in a state machine, of which the caller can ask later. */
import { z } from 'zod';
import { InvalidInput, NotFound, Unavailable } from '../errors.ts';
import { type Verdict, verdictSchema } from './verification.ts';
import { beginAtHead, beginChain, continueChain, type VerifyingWorld } from './verify-chain.ts';

/** An execution of the state machine verify-audit. */
export type Run =
  /** `input`: of the turn that it is at. */
  | { readonly status: 'running'; readonly input: unknown }
  | { readonly status: 'succeeded'; readonly output: unknown }
  | { readonly status: 'failed' };

export interface WaitingWorld extends VerifyingWorld {
  readonly runs: {
    readonly start: (name: string, input: unknown) => Promise<void>;
    /** Null when there is none, or none any more. */
    readonly find: (name: string) => Promise<Run | null>;
  };
  /** Told of each verdict that is found here. */
  readonly report: (verdict: Verdict) => void;
}

/** A caller waits so long (ms): API Gateway cuts a request at 29 s. */
const waiting_ms = 18_000;

/** Its name in the state machine: when it began, and something that nobody guesses. */
export const verificationIdSchema = z
  .string()
  .regex(/^\d{1,15}-[0-9a-f]{16}$/, 'must be an id that a verification was answered with');

export type Answered =
  | { readonly verdict: Verdict }
  | { readonly running: { readonly verification_id: string; readonly checked_entries: number } };

/** What a turn of the state machine begins with, as far as it is told. */
const inputSchema = z.object({ state: z.object({ position: z.number() }) });

/** @throws InvalidInput, NotFound for an id; Unavailable when that verification could not be finished */
export const verifyAudit = async (
  world: WaitingWorld,
  { since_head, verification_id }: { readonly since_head: boolean; readonly verification_id?: string | undefined },
): Promise<Answered> => {
  if (verification_id !== undefined) {
    if (since_head) throw new InvalidInput('since_head', 'belongs to a new verification, not to one that was begun');
    return findVerification(world, verification_id);
  }
  const begun = since_head ? await beginAtHead(world) : await beginChain(world);
  const { state, verdict } = await continueChain(world, begun, waiting_ms);
  if (verdict !== null) {
    world.report(verdict);
    return { verdict };
  }
  const id = `${world.now()}-${Buffer.from(world.randomBytes(8)).toString('hex')}`;
  await world.runs.start(id, { state });
  return { running: { verification_id: id, checked_entries: state.position } };
};

const findVerification = async ({ runs }: WaitingWorld, verification_id: string): Promise<Answered> => {
  const run = await runs.find(verification_id);
  switch (run?.status) {
    case undefined:
      throw new NotFound(`there is no verification ${verification_id}`, 'verification_id');
    case 'running': {
      const begun = inputSchema.safeParse(run.input).data;
      return { running: { verification_id, checked_entries: begun?.state.position ?? 0 } };
    }
    case 'succeeded':
      return { verdict: verdictSchema.parse(run.output) };
    case 'failed':
      throw new Unavailable('the verification could not be finished; begin another');
  }
};
