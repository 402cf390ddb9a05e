/** A renewal: a job that replaces an endpoint's certificate. Its row is read so that one edited by hand never crashes a read. */
import { z } from 'zod';
import type { Row } from '../aws/unchanged.ts';
import { serialSchema } from '../certificate/serial.ts';
import { deployerSchema } from '../endpoint/endpoint-settings.ts';
import { Conflict } from '../errors.ts';
import { namesSchema } from './names.ts';
import { policySchema } from './policy.ts';
import { isLive, statuses } from './status.ts';
import { answeredSchema, openTaskSchema } from './task.ts';

/** Time-ordered, as serial numbers are. */
export const jobIdSchema = serialSchema
  .min(26, 'must be the job_id of a renewal')
  .max(32, 'must be the job_id of a renewal');

const instant = z.number().int().min(0).max(8.64e15);
/** Lower-case hex. */
const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);
const momentSchema = z.object({ status: z.enum(statuses), at: instant, reason: z.string().exactOptional() });

const rowFields = {
  endpoint_id: z.string(),
  policy_id: z.string(),
  /** As it was when the renewal began. */
  policy: policySchema,
  /** A principal's id. */
  requested_by: z.string(),
  created_at: instant,
  names: namesSchema,
  deployer: deployerSchema,
  fleet_id: z.string().optional(),
  /** Who does its tasks; an endpoint may be without an agent yet. */
  agent_id: z.string().optional(),
  /** How long an agent that has nothing to do waits before it asks, seconds. */
  poll_after_seconds: z.number().int().min(1),

  status: z.enum(statuses),
  attempt: z.number().int().min(1),
  history: z.array(momentSchema).readonly(),
  reason: z.string().optional(),
  next_try_at: instant.optional(),
  restore: z.enum(['due', 'done', 'failed', 'nothing']).optional(),
  rollback: z.object({ reason: z.string(), by: z.string() }).optional(),

  /** The one execution of the state machine that may go on with it. */
  execution: z.string(),
  /** How many tasks there have been, and the one that is open. */
  tasks: z.number().int().min(0),
  task: openTaskSchema.optional(),
  /** What the execution waits by. */
  task_token: z.string().optional(),
  answers: z.array(answeredSchema).readonly(),

  csr: z.string().optional(),
  /** Of the one key that this renewal is for. */
  public_key_sha256: sha256Schema.optional(),
  /** Fixed before anything is signed; times are those in the certificate. */
  serial_number: serialSchema.optional(),
  not_before: instant.optional(),
  not_after: instant.optional(),
  fingerprint: sha256Schema.optional(),
  issuer: z.string().optional(),
  pem: z.string().optional(),
  chain: z.string().optional(),
  /** What was served before it was deployed; null: nothing. */
  previous_fingerprint: sha256Schema.nullable().optional(),
};
const rowSchema = z.object({ job_id: z.string(), ...rowFields });

export type Job = z.infer<typeof rowSchema> & {
  /** The row as it was read. */
  readonly row: Row;
};

/** What of a row that somebody edited to nonsense can still be told. */
export interface InvalidJob {
  readonly job_id: string;
  readonly invalid: readonly string[];
}

export const readJob = (item: Row): Job | InvalidJob => {
  const { data, error } = rowSchema.safeParse(item);
  if (data !== undefined) return { ...data, row: item };
  const invalid = [...new Set(error.issues.map(({ path }) => String(path[0])))];
  return { job_id: z.string().parse(item.job_id), invalid };
};

/** @throws Conflict for a row that somebody edited to nonsense */
export const parseJob = (item: Row): Job => {
  const job = readJob(item);
  if ('invalid' in job)
    throw new Conflict(`the record of the renewal ${job.job_id} is invalid: ${job.invalid.join(', ')}`, 'job_id');
  return job;
};

const attributes = Object.keys(rowFields);

/** As its row has it; undefined for what the row is to lack. */
export const attributesOf = (job: Omit<Job, 'row'>): Readonly<Record<string, unknown>> => ({
  ...Object.fromEntries(attributes.map((name) => [name, Reflect.get(job, name)])),
  // The index finds an agent's open tasks by it.
  task_agent: job.task === undefined ? undefined : job.agent_id,
});

/** What the API shows of a renewal. */
export type JobView = ReturnType<typeof viewJob>;

export const viewJob = (job: Job) => {
  const { job_id, endpoint_id, policy_id, requested_by, created_at, names, fleet_id, agent_id } = job;
  const { status, attempt, history, reason, next_try_at, restore, rollback, task } = job;
  const { serial_number, fingerprint, not_before, not_after, issuer, previous_fingerprint } = job;
  return {
    ...{ job_id, endpoint_id, policy_id, status, attempt, reason, next_try_at, live: isLive(job) },
    ...{ requested_by, created_at, names, fleet_id, agent_id, history, restore, rollback },
    ...(fingerprint === undefined
      ? {}
      : { certificate: { serial_number, fingerprint, not_before, not_after, issuer } }),
    previous_fingerprint,
    ...(task === undefined ? {} : { waiting_for: { agent_id, kind: task.kind, until: task.expires_at } }),
  };
};
