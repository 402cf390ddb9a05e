/** What renewing needs from outside, beyond what every use case does; each function has what it uses. */
import type { World } from '../world.ts';

/** What an execution of the state machine waits by. Telling one that waits no more changes nothing. */
export interface TaskTokens {
  readonly succeed: (task_token: string) => Promise<void>;
  /** `error`: by this name the state machine catches it. */
  readonly fail: (task_token: string, failure: { readonly error: string; readonly cause: string }) => Promise<void>;
  /** That whoever does the task is still there. */
  readonly heartbeat: (task_token: string) => Promise<void>;
}

/** Executions of `renew-certificate`. */
export interface Renewals {
  /** Starting one again, by the same name, changes nothing. */
  readonly start: (name: string, input: unknown) => Promise<void>;
  readonly find: (name: string) => Promise<{ readonly status: 'running' | 'succeeded' | 'failed' } | null>;
}

export interface WaitingWorld extends World {
  readonly tokens: TaskTokens;
}

export interface StartingWorld extends World {
  readonly renewals: Renewals;
}
