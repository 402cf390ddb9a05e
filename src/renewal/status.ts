/** The states of a renewal and the only ways from one to another. */
import { Conflict } from '../errors.ts';

/** The renewal runbook's, word for word. */
export const statuses = [
  'PENDING',
  'CSR_REQUESTED',
  'CSR_RECEIVED',
  'CHALLENGE_PENDING',
  'CHALLENGE_COMPLETE',
  'ISSUING',
  'ISSUED',
  'DEPLOYING',
  'VALIDATING',
  'SUCCEEDED',
  'FAILED',
  'ROLLED_BACK',
] as const;
export type Status = (typeof statuses)[number];

/** From each state to these and no others. */
export const arrows: Readonly<Record<Status, readonly Status[]>> = {
  PENDING: ['CSR_REQUESTED'],
  CSR_REQUESTED: ['CSR_RECEIVED', 'FAILED'],
  CSR_RECEIVED: ['CHALLENGE_PENDING', 'FAILED'],
  CHALLENGE_PENDING: ['CHALLENGE_COMPLETE', 'FAILED'],
  CHALLENGE_COMPLETE: ['ISSUING', 'FAILED'],
  ISSUING: ['ISSUED', 'FAILED'],
  ISSUED: ['DEPLOYING', 'FAILED'],
  DEPLOYING: ['VALIDATING', 'FAILED'],
  VALIDATING: ['SUCCEEDED', 'FAILED'],
  SUCCEEDED: [],
  FAILED: ['PENDING', 'ROLLED_BACK'],
  ROLLED_BACK: [],
};

export interface Moment {
  readonly status: Status;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason?: string;
}

/**
 * Whether the certificate that was served before is back after a failure: not yet ('due'), yes ('done'), that failed too
 * ('failed'), there was none ('nothing'). Absent where nothing was deployed.
 */
export type Restore = 'due' | 'done' | 'failed' | 'nothing';

/** How far a renewal has come: the part of a job that its state decides. */
export interface Progress {
  readonly status: Status;
  /** From 1 on. */
  readonly attempt: number;
  readonly history: readonly Moment[];
  /** Why it is FAILED or ROLLED_BACK. */
  readonly reason?: string | undefined;
  /** FAILED only: when it goes on as PENDING, ms since the epoch. */
  readonly next_try_at?: number | undefined;
  readonly restore?: Restore | undefined;
  /** Somebody wants it rolled back: whatever it does next, it ends ROLLED_BACK. */
  readonly rollback?: { readonly reason: string; readonly by: string } | undefined;
}

export type Move =
  | { readonly to: Exclude<Status, 'FAILED' | 'ROLLED_BACK'> }
  | { readonly to: 'FAILED'; readonly reason: string; readonly next_try_at?: number | undefined }
  | { readonly to: 'ROLLED_BACK'; readonly reason: string };

/** Whether what fails in this state may have changed what the endpoint serves. */
export const mayHaveDeployed = (status: Status): boolean => status === 'DEPLOYING' || status === 'VALIDATING';

/** null: it may go. */
const whyNot = ({ status, restore, rollback, next_try_at }: Progress, to: Status): string | null => {
  if (!arrows[status].includes(to)) return 'there is no such step';
  if (status !== 'FAILED') return null;
  if (restore === 'due' || restore === 'failed') return 'the previous certificate is not back';
  if (to === 'PENDING' && rollback !== undefined) return 'it is to be rolled back';
  return to === 'PENDING' && next_try_at === undefined ? 'no other try is due' : null;
};

/**
 * The job after the move, at `at` (ms); the history's times never run backwards, whatever the clock does. What failed in
 * DEPLOYING or VALIDATING has its previous certificate put back before anything else. @throws Conflict on `status`
 */
export const transition = <P extends Progress>(job: P, move: Move, at: number): P => {
  const refusal = whyNot(job, move.to);
  if (refusal !== null)
    throw new Conflict(`a renewal that is ${job.status} does not become ${move.to}: ${refusal}`, 'status');
  const reason = 'reason' in move ? move.reason : undefined;
  const moment: Moment = {
    status: move.to,
    at: Math.max(at, job.history.at(-1)?.at ?? at),
    ...(reason === undefined ? {} : { reason }),
  };
  const moved = { ...job, status: move.to, history: [...job.history, moment], reason, next_try_at: undefined };
  switch (move.to) {
    case 'FAILED':
      return {
        ...moved,
        next_try_at: job.rollback === undefined ? move.next_try_at : undefined,
        restore: mayHaveDeployed(job.status) ? 'due' : undefined,
      };
    case 'PENDING':
      return { ...moved, attempt: job.attempt + 1, restore: undefined };
    default:
      return moved;
  }
};

/** A failed job after its previous certificate was, or could not be, put back. @throws Conflict where that was not due */
export const restored = <P extends Progress>(job: P, restore: Exclude<Restore, 'due'>, reason?: string): P => {
  if (job.status !== 'FAILED' || job.restore !== 'due')
    throw new Conflict(`a renewal that is ${job.status} has nothing to put back`, 'status');
  if (restore !== 'failed') return { ...job, restore };
  return { ...job, restore, next_try_at: undefined, reason: reason ?? job.reason };
};

/** Whether it goes on by itself: only one renewal of an endpoint may. */
export const isLive = ({ status, next_try_at, restore }: Progress): boolean => {
  if (status === 'SUCCEEDED' || status === 'ROLLED_BACK') return false;
  return status !== 'FAILED' || next_try_at !== undefined || restore === 'due';
};

/**
 * What a failed job does next: put the previous certificate back, become ROLLED_BACK, wait until `next_try_at` and try
 * again, or stay as it is. Retries spent, it stays FAILED where nothing was, or could be, put back.
 */
export const afterFailure = ({
  restore,
  rollback,
  next_try_at,
}: Progress): 'restore' | 'roll_back' | 'try_again' | 'stay' => {
  if (restore === 'due') return 'restore';
  if (restore === 'failed') return 'stay';
  if (rollback !== undefined) return 'roll_back';
  if (next_try_at !== undefined) return 'try_again';
  return restore === 'done' ? 'roll_back' : 'stay';
};
