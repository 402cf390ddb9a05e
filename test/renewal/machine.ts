/** Runs the state machine's own file step by step, as Step Functions would, on a clock that tests turn; it may be killed anywhere. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Renewals, TaskTokens } from '../../src/renewal/world.ts';

const retrySchema = z.strictObject({
  ErrorEquals: z.array(z.string()),
  IntervalSeconds: z.number(),
  MaxAttempts: z.number(),
  BackoffRate: z.number(),
  MaxDelaySeconds: z.number(),
  JitterStrategy: z.literal('FULL').optional(),
});
const catchSchema = z.strictObject({ ErrorEquals: z.array(z.string()), ResultPath: z.string(), Next: z.string() });
const comment = z.string().optional();
const stateSchema = z.discriminatedUnion('Type', [
  z.strictObject({
    Type: z.literal('Task'),
    Comment: comment,
    Resource: z.string(),
    Parameters: z.record(z.string(), z.unknown()),
    TimeoutSeconds: z.number().optional(),
    TimeoutSecondsPath: z.string().optional(),
    HeartbeatSecondsPath: z.string().optional(),
    Retry: z.array(retrySchema),
    Catch: z.array(catchSchema).default([]),
    ResultPath: z.string().nullable(),
    Next: z.string().optional(),
    End: z.literal(true).optional(),
  }),
  z.strictObject({
    Type: z.literal('Choice'),
    Choices: z.array(z.strictObject({ Variable: z.string(), StringEquals: z.string(), Next: z.string() })),
    Default: z.string(),
  }),
  z.strictObject({ Type: z.literal('Wait'), TimestampPath: z.string(), Next: z.string() }),
  z.strictObject({ Type: z.literal('Fail'), ErrorPath: z.string(), CausePath: z.string() }),
]);
const machineSchema = z.strictObject({
  Comment: z.string(),
  StartAt: z.string(),
  States: z.record(z.string(), stateSchema),
});
type TaskState = Extract<z.infer<typeof stateSchema>, { Type: 'Task' }>;

export const definition = machineSchema.parse(
  JSON.parse(readFileSync(new URL('../../state-machines/renew-certificate.asl.json', import.meta.url), 'utf8')),
);

const at = (path: string, value: unknown): unknown => {
  const found = path
    .split('.')
    .slice(1)
    .reduce<unknown>((inner, key) => (Object(inner) === inner ? Reflect.get(Object(inner), key) : undefined), value);
  if (found === undefined) throw new Error(`there is no ${path}`);
  return found;
};

type Outcome =
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly Error: string; readonly Cause: string };

interface Execution {
  readonly name: string;
  state: string | null;
  data: Record<string, unknown>;
  status: 'running' | 'succeeded' | 'failed';
  error?: string;
  retries: number[];
  /** ms. */
  sleepsUntil?: number | undefined;
  waits?: { readonly token: string; readonly until: number; readonly quiet: number; heard: number } | undefined;
  transitions: number;
}

export type Functions = Readonly<Record<string, (payload: unknown) => Promise<unknown>>>;

/** What the machine does is killed before the n-th call of a function, or right after it, before its answer counts. */
export interface Death {
  readonly call: number;
  readonly when: 'before' | 'after';
}

export const openMachine = (functions: () => Functions, now: () => number) => {
  const executions = new Map<string, Execution>();
  const results = new Map<string, Outcome>();
  /** Functions that were called, in order. */
  const calls: string[] = [];
  let death: Death | undefined;

  const resolve = (template: unknown, data: unknown, context: unknown): unknown => {
    if (Object(template) !== template) return template;
    return Object.fromEntries(
      Object.entries(Object(template)).map(([key, value]) => {
        if (!key.endsWith('.$')) return [key, resolve(value, data, context)];
        const path = z.string().parse(value);
        return [key.slice(0, -2), path.startsWith('$$') ? at(path.slice(1), context) : at(path, data)];
      }),
    );
  };
  const go = (execution: Execution, next: string | undefined) => {
    execution.retries = [];
    execution.transitions += 1;
    execution.state = next ?? null;
    if (next === undefined) execution.status = 'succeeded';
  };
  const set = (execution: Execution, path: string | null, value: unknown) => {
    if (path !== null) execution.data = { ...execution.data, [path.slice(2)]: value };
  };
  const kill = () => {
    death = undefined;
    for (const execution of executions.values())
      if (execution.status === 'running') Object.assign(execution, { status: 'failed', error: 'killed' });
  };

  const call = async (name: string, payload: unknown): Promise<Outcome | 'killed'> => {
    calls.push(name);
    const here = death?.call === calls.length ? death.when : undefined;
    if (here === 'before') {
      kill();
      return 'killed';
    }
    // Lambda hands on JSON, and of what is thrown the name and the message.
    const json = JSON.parse(JSON.stringify(payload));
    const outcome: Outcome = await (functions()[name]?.(json) ?? Promise.reject(new Error(`no function ${name}`))).then(
      (result) => ({ kind: 'done', result: JSON.parse(JSON.stringify(result ?? null)) }),
      (error: Error) => ({
        kind: 'failed',
        Error: error.name,
        Cause: JSON.stringify({ errorType: error.name, errorMessage: error.message }),
      }),
    );
    if (here !== 'after') return outcome;
    kill();
    return 'killed';
  };

  const settle = (execution: Execution, state: TaskState, outcome: Outcome) => {
    execution.waits = undefined;
    if (outcome.kind === 'done') {
      set(execution, state.ResultPath, outcome.result);
      go(execution, state.Next);
      return;
    }
    const matches = (names: readonly string[]) => names.includes(outcome.Error) || names.includes('States.ALL');
    const index = state.Retry.findIndex(({ ErrorEquals }) => matches(ErrorEquals));
    const retry = state.Retry[index];
    const used = execution.retries[index] ?? 0;
    if (retry !== undefined && used < retry.MaxAttempts) {
      execution.retries[index] = used + 1;
      execution.transitions += 1;
      const wait = Math.min(retry.IntervalSeconds * retry.BackoffRate ** used, retry.MaxDelaySeconds);
      execution.sleepsUntil = now() + Math.ceil(wait * 1_000);
      return;
    }
    const caught = state.Catch.find(({ ErrorEquals }) => matches(ErrorEquals));
    if (caught === undefined) {
      Object.assign(execution, { status: 'failed', error: `${outcome.Error}: ${outcome.Cause}` });
      return;
    }
    set(execution, caught.ResultPath, { Error: outcome.Error, Cause: outcome.Cause });
    go(execution, caught.Next);
  };

  const callTask = async (execution: Execution, name: string, state: TaskState) => {
    const token = `token-${randomUUID()}`;
    const context = { Execution: { Name: execution.name }, Task: { Token: token } };
    const whole = resolve(state.Parameters, execution.data, context);
    const waiting = state.Resource.endsWith('.waitForTaskToken');
    const payload = waiting ? z.object({ Payload: z.unknown() }).parse(whole).Payload : whole;
    const named = waiting ? z.object({ FunctionName: z.string() }).parse(whole).FunctionName : state.Resource;
    if (named !== `\${${name}Arn}`) throw new Error(`the state ${name} calls ${named}`);
    if (waiting) {
      const seconds = (path: string | undefined) => z.number().parse(at(path ?? '', execution.data)) * 1_000;
      const quiet = seconds(state.HeartbeatSecondsPath);
      execution.waits = { token, until: now() + seconds(state.TimeoutSecondsPath), quiet, heard: now() };
    }
    const outcome = await call(name, payload);
    if (outcome === 'killed' || execution.status !== 'running') return;
    // The function's own answer does not end the step, its failure does.
    if (!waiting || outcome.kind === 'failed') settle(execution, state, outcome);
  };

  /** Whether there was anything to do. */
  const step = async (execution: Execution): Promise<boolean> => {
    if (execution.status !== 'running' || execution.state === null) return false;
    const state = definition.States[execution.state];
    if (state === undefined) throw new Error(`no state ${execution.state}`);
    const { waits, sleepsUntil } = execution;
    if (sleepsUntil !== undefined) {
      if (sleepsUntil > now()) return false;
      execution.sleepsUntil = undefined;
      if (state.Type === 'Wait') go(execution, state.Next);
      return true;
    }
    switch (state.Type) {
      case 'Choice': {
        const choice = state.Choices.find(
          ({ Variable, StringEquals }) => at(Variable, execution.data) === StringEquals,
        );
        go(execution, choice?.Next ?? state.Default);
        return true;
      }
      case 'Wait':
        execution.sleepsUntil = Date.parse(z.string().parse(at(state.TimestampPath, execution.data)));
        return true;
      case 'Fail':
        Object.assign(execution, { status: 'failed', error: String(at(state.CausePath, execution.data)) });
        return true;
      case 'Task': {
        if (waits === undefined) {
          await callTask(execution, execution.state, state);
          return true;
        }
        const told = results.get(waits.token);
        const Cause = 'nobody answered';
        if (told !== undefined) settle(execution, state, told);
        else if (waits.until <= now()) settle(execution, state, { kind: 'failed', Error: 'States.Timeout', Cause });
        else if (waits.heard + waits.quiet <= now())
          settle(execution, state, { kind: 'failed', Error: 'States.HeartbeatTimeout', Cause });
        else return false;
        return true;
      }
    }
  };

  const waitingBy = (token: string) => [...executions.values()].find(({ waits }) => waits?.token === token)?.waits;
  const tell = (token: string, outcome: Outcome) => {
    if (waitingBy(token) !== undefined && !results.has(token)) results.set(token, outcome);
  };
  const tokens: TaskTokens = {
    succeed: async (token) => tell(token, { kind: 'done', result: {} }),
    fail: async (token, { error, cause }) =>
      tell(token, { kind: 'failed', Error: error, Cause: JSON.stringify({ errorMessage: cause }) }),
    heartbeat: async (token) => {
      const waits = waitingBy(token);
      if (waits !== undefined) waits.heard = now();
    },
  };
  const renewals: Renewals = {
    start: async (name, input) => {
      if (executions.has(name)) return;
      const data = z.record(z.string(), z.unknown()).parse(JSON.parse(JSON.stringify(input)));
      const status = 'running' as const;
      executions.set(name, { name, state: definition.StartAt, data, status, retries: [], transitions: 1 });
    },
    find: async (name) => executions.get(name) ?? null,
  };

  return {
    tokens,
    renewals,
    executions,
    calls,
    kill,
    dieAt: (where: Death) => {
      death = where;
    },
    /** Every execution goes on until it waits for somebody, for a time, or is over. */
    goOn: async () => {
      for (let busy = true; busy; ) {
        busy = false;
        for (const execution of [...executions.values()]) busy = (await step(execution)) || busy;
      }
    },
    /** When the next execution of a renewal's that sleeps, or waits, has waited long enough; ms, null: none does. */
    nextAt: (job_id: string): number | null => {
      const times = [...executions.values()].flatMap(({ name, status, sleepsUntil, waits }) => {
        if (status !== 'running' || !name.startsWith(job_id)) return [];
        if (sleepsUntil !== undefined) return [sleepsUntil];
        return waits === undefined ? [] : [Math.min(waits.until, waits.heard + waits.quiet)];
      });
      return times.length === 0 ? null : Math.min(...times);
    },
  };
};
export type Machine = ReturnType<typeof openMachine>;
