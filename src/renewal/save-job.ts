/** Writes a renewal, over the very row that was read; when it ends, its endpoint is free again in the same transaction. */
import type { Author } from '../audit/stamp.ts';
import type { Change } from '../aws/change.ts';
import { type Step, transact, writeRow } from '../aws/transact.ts';
import { unchanged } from '../aws/unchanged.ts';
import { changed } from '../endpoint/changed.ts';
import { findEndpoint } from '../endpoint/get-endpoint.ts';
import type { World } from '../world.ts';
import { attributesOf, type Job } from './job.ts';
import { isLive, type Status } from './status.ts';

/** What the audit calls the step into each state. */
export const actions: Readonly<Record<Status, string>> = {
  PENDING: 'renewal_retried',
  CSR_REQUESTED: 'csr_requested',
  CSR_RECEIVED: 'csr_received',
  CHALLENGE_PENDING: 'challenge_started',
  CHALLENGE_COMPLETE: 'challenge_completed',
  ISSUING: 'issuing_started',
  ISSUED: 'certificate_issued',
  DEPLOYING: 'deployment_started',
  VALIDATING: 'deployment_confirmed',
  SUCCEEDED: 'renewal_succeeded',
  FAILED: 'renewal_failed',
  ROLLED_BACK: 'renewal_rolled_back',
};

export interface JobWrite {
  readonly next: Job;
  /** Where the status stays the same; else the status names it. */
  readonly action?: string;
  /** What else must hold, or is written with it. */
  readonly steps?: readonly Step[];
  /** Set in the endpoint's row with it, when the renewal ends. */
  readonly endpoint?: Readonly<Record<string, unknown>>;
}

/** The end of the one live renewal of its endpoint; nothing where another one, or none, is by now. */
const endpointFreed = async (
  world: World,
  { job_id, endpoint_id }: Job,
  action: string,
  set: JobWrite['endpoint'] = {},
): Promise<Change[]> => {
  const endpoint = await findEndpoint(world, endpoint_id);
  if (endpoint === null || endpoint.row.live_job !== job_id) return [];
  const { row } = endpoint;
  const condition = unchanged(row, ['live_job']);
  return [{ table: 'endpoints', key: endpoint_id, row, action, set, remove: ['live_job'], condition }];
};

/** 'again': the row is not the one that was read any more. @throws the refusals of `steps` */
export const saveJob = async (
  world: World,
  author: Author,
  job: Job,
  { next, action = actions[next.status], steps = [], endpoint }: JobWrite,
): Promise<'done' | 'again'> => {
  const change = changed(job.row, attributesOf(next));
  if (change === null && steps.length === 0) return 'done';
  const write: Change = {
    ...{ table: 'jobs', key: job.job_id, row: job.row, action },
    ...(change ?? {}),
    condition: unchanged(job.row, ['status', 'execution']),
  };
  const freed = isLive(job) && !isLive(next) ? await endpointFreed(world, job, action, endpoint) : [];
  const all = [write, ...freed, ...steps];
  return all.length === 1 ? writeRow(world, author, write) : transact(world, author, all);
};
