/** Lists renewals, a page at a time, the newest first: all, those in one state, or those of one endpoint. */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { jobIndexes, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { findJobs } from './find-job.ts';
import type { InvalidJob, Job } from './job.ts';
import { type Status, statuses } from './status.ts';

export interface JobsQuery {
  readonly status?: Status | undefined;
  readonly endpoint_id?: string | undefined;
  readonly limit: number;
  /** The last id of the page before. */
  readonly after?: string | undefined;
}

interface IndexQuery {
  readonly index: string;
  readonly key: readonly ['status' | 'endpoint_id' | 'task_agent', string];
  readonly limit: number;
  readonly after?: string | undefined;
}

const idSchema = z.object({ job_id: z.string() });

/** Ids by an index, the newest first. What was written a moment ago may be missing. */
export const queryJobs = async (world: World, { index, key, limit, after }: IndexQuery): Promise<string[]> => {
  const [name, value] = key;
  const { Items = [] } = await world.documents.send(
    new QueryCommand({
      TableName: tableName(world.deployment, 'jobs'),
      IndexName: index,
      KeyConditionExpression: `#key = :key${after === undefined ? '' : ' AND job_id < :after'}`,
      ExpressionAttributeNames: { '#key': name },
      ExpressionAttributeValues: { ':key': value, ...(after === undefined ? {} : { ':after': after }) },
      ScanIndexForward: false,
      Limit: limit,
    }),
  );
  return Items.map((item) => idSchema.parse(item).job_id);
};

/** By the index of the endpoint's where one is named; else by that of each state that is asked for. */
const idsOf = async (world: World, { status, endpoint_id, after }: JobsQuery, limit: number): Promise<string[]> => {
  if (endpoint_id !== undefined)
    return queryJobs(world, { index: jobIndexes.byEndpoint, key: ['endpoint_id', endpoint_id], limit, after });
  const found = await Promise.all(
    (status === undefined ? statuses : [status]).map((one) =>
      queryJobs(world, { index: jobIndexes.byStatus, key: ['status', one], limit, after }),
    ),
  );
  return found.flat().sort().reverse();
};

/** Of an endpoint's, other states may take up a page: so many are read at most. */
const mostReads = 5;

/** `next` is the last id when there may be more. */
export const listJobs = async (
  world: World,
  query: JobsQuery,
): Promise<{ jobs: (Job | InvalidJob)[]; next?: string }> => {
  const { limit, status } = query;
  const found: (Job | InvalidJob)[] = [];
  let { after } = query;
  for (let reads = 0; reads < mostReads; reads += 1) {
    const ids = await idsOf(world, { ...query, after }, limit + 1);
    const page = ids.slice(0, limit);
    const jobs = await findJobs(world, page);
    for (const id of page) {
      const job = jobs.get(id);
      after = id;
      // The index may be a moment behind: what has gone on since is in another state.
      if (job === undefined || (status !== undefined && !('invalid' in job) && job.status !== status)) continue;
      found.push(job);
      if (found.length === limit) break;
    }
    const more = ids.length > page.length || page.at(-1) !== after;
    if (!more) return { jobs: found };
    if (found.length === limit) break;
  }
  return { jobs: found, ...(after === undefined ? {} : { next: after }) };
};
