/** Reads renewals by their ids, strongly consistently. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { batchGet } from '../aws/batch-get.ts';
import { NotFound } from '../errors.ts';
import { tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type InvalidJob, type Job, parseJob, readJob } from './job.ts';

/** null: there is none. @throws Conflict for a row that somebody edited to nonsense */
export const findJob = async (world: World, job_id: string): Promise<Job | null> => {
  const { Item } = await world.documents.send(
    new GetCommand({ TableName: tableName(world.deployment, 'jobs'), Key: { job_id }, ConsistentRead: true }),
  );
  return Item === undefined ? null : parseJob(Item);
};

/** @throws NotFound; Conflict for a row that somebody edited to nonsense */
export const getJob = async (world: World, job_id: string): Promise<Job> => {
  const job = await findJob(world, job_id);
  if (job === null) throw new NotFound(`there is no renewal ${job_id}`, 'job_id');
  return job;
};

/** Those that exist, by their ids. */
export const findJobs = async (
  world: World,
  job_ids: Iterable<string>,
): Promise<ReadonlyMap<string, Job | InvalidJob>> => {
  const keys = [...new Set(job_ids)].map((job_id) => ({ job_id }));
  const rows = await batchGet(world, tableName(world.deployment, 'jobs'), keys);
  return new Map(rows.map(readJob).map((job) => [job.job_id, job]));
};
