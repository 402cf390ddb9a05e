/** What a renewal asks of an agent: one task at a time, handed out with each of its heartbeats until the renewal goes on. */
import { z } from 'zod';
import type { Job } from './job.ts';
import type { KeyType } from './policy.ts';

export const taskKinds = ['make_csr', 'deploy', 'restore', 'validate'] as const;
export type TaskKind = (typeof taskKinds)[number];

/** Where an agent is to look at what is served. */
const targetSchema = z.object({ host: z.string(), port: z.number(), server_name: z.string() });
export type Target = z.infer<typeof targetSchema>;

export const openTaskSchema = z.object({
  task_id: z.string(),
  kind: z.enum(taskKinds),
  /** Milliseconds since the epoch. */
  expires_at: z.number().int(),
  target: targetSchema.exactOptional(),
});
export type OpenTask = z.infer<typeof openTaskSchema>;

/** An answer that was taken: the same once more changes nothing, another one is refused. */
export const answeredSchema = z.object({
  task_id: z.string(),
  /** Of the answer, lower-case hex. */
  sha256: z.string(),
  /** When it was taken, ms since the epoch. */
  at: z.number().int(),
  /** Why it was refused. */
  refused: z.string().exactOptional(),
});
export type Answered = z.infer<typeof answeredSchema>;

/** A renewal has a handful of tasks for each of its tries; more are not remembered. */
const mostAnswers = 60;

export const withAnswer = (job: Job, answered: Answered): Job => ({
  ...job,
  answers: [...job.answers, answered].slice(-mostAnswers),
});

/** The number tells one that is over from one that never was. */
const taskIdOf = (job_id: string, number: number): string => `${job_id}-${number}`;

/** What a task's id says; null for what no renewal ever called a task. */
export const readTaskId = (task_id: string): { readonly job_id: string; readonly number: number } | null => {
  const [, job_id, number] = /^([0-9a-f]{26,32})-([1-9]\d{0,5})$/.exec(task_id) ?? [];
  return job_id === undefined ? null : { job_id, number: Number(number) };
};

/** The job with a new task open. */
export const withTask = (job: Job, task: Omit<OpenTask, 'task_id'>, task_token: string): Job => {
  const tasks = job.tasks + 1;
  return { ...job, tasks, task: { ...task, task_id: taskIdOf(job.job_id, tasks) }, task_token };
};

/** What was answered and is still open after this (ms): whoever was to go on was not told. */
const unheardAfter_ms = 20_000;

/** Whether the agent is to be told of the open task: until it is answered, and again when the renewal does not go on. */
export const isToBeDone = ({ task, answers }: Job, now: number): boolean => {
  if (task === undefined || task.expires_at <= now) return false;
  const answered = answers.find(({ task_id }) => task_id === task.task_id);
  return answered === undefined || now - answered.at >= unheardAfter_ms;
};

/** The job with none. */
export const withoutTask = (job: Job): Job => ({ ...job, task: undefined, task_token: undefined });

interface Common {
  readonly task_id: string;
  readonly job_id: string;
  readonly endpoint_id: string;
  readonly expires_at: number;
}

/** As it is handed out. */
export type Task = Common &
  (
    | { readonly kind: 'make_csr'; readonly names: readonly string[]; readonly key_type: KeyType }
    | { readonly kind: 'deploy'; readonly pem: string; readonly chain: string; readonly fingerprint: string }
    | { readonly kind: 'restore'; readonly fingerprint: string; readonly previous_fingerprint: string }
    | ({ readonly kind: 'validate'; readonly fingerprint: string } & Target)
  );

/** null: none is open. */
export const taskOf = (job: Job): Task | null => {
  const { task, job_id, endpoint_id, names, policy, pem = '', chain = '', fingerprint = '' } = job;
  if (task === undefined) return null;
  const { task_id, kind, expires_at, target } = task;
  const common = { task_id, job_id, endpoint_id, expires_at };
  switch (kind) {
    case 'make_csr':
      return { ...common, kind, names, key_type: policy.key_type };
    case 'deploy':
      return { ...common, kind, pem, chain, fingerprint };
    case 'restore':
      return { ...common, kind, fingerprint, previous_fingerprint: job.previous_fingerprint ?? '' };
    case 'validate':
      return target === undefined ? null : { ...common, kind, fingerprint, ...target };
  }
};
