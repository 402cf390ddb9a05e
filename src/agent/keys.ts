/** The keys that jobs asked for: made here, never shown to anybody; one key and one request for a job. */
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { writeKey } from '../authority/make-csr.ts';
import { privateMode, readOurs, writeAtomically } from '../cli/files.ts';
import { readKey } from '../cli/pair.ts';
import { keyTypes } from '../renewal/policy.ts';
import { makeCsrFor, makeKeyOf } from './csr.ts';
import type { Done, Failed, TaskOf } from './protocol.ts';
import { listState, readState, removeState, type State, stateFile, writeState } from './state.ts';

const recordSchema = z.object({
  endpoint_id: z.string(),
  names: z.array(z.string()),
  key_type: z.enum(keyTypes),
  csr: z.string(),
  /** ms */
  made_at: z.number(),
});

const keyFile = (state: State, job_id: string) => stateFile(state, 'keys', `${job_id}.pem`);
const recordFile = (state: State, job_id: string) => stateFile(state, 'keys', `${job_id}.json`);

/** Keys of an endpoint that are kept beside the newest: jobs that are still being tried again may need theirs. */
const keptForRetries = 4;

export interface JobKey {
  readonly key: KeyObject;
  readonly names: readonly string[];
}

/** null: this node made none for the job. */
export const findJobKey = (state: State, job_id: string): JobKey | null => {
  const record = readState(recordFile(state, job_id), recordSchema);
  const pem = readOurs(keyFile(state, job_id), 'state_dir', privateMode);
  const key = pem === null ? null : readKey(pem);
  return record === null || key === null ? null : { key, names: record.names };
};

/** What was made for `job_id` stays, and the newest `kept` of the endpoint's others. */
export const forgetKeys = (state: State, endpoint_id: string, job_id: string, kept: number): void => {
  const others = listState(state, 'keys')
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .filter((other) => other !== job_id)
    .filter((other) => readState(recordFile(state, other), recordSchema)?.endpoint_id === endpoint_id);
  for (const old of others.slice(0, Math.max(0, others.length - kept))) {
    removeState(keyFile(state, old));
    removeState(recordFile(state, old));
  }
};

const sameNames = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((name, index) => name === other[index]);

/** The job's request; the same one however often it is asked for. @throws Refused for a full disk and the like */
export const makeJobCsr = async (state: State, task: TaskOf<'make_csr'>, now: number): Promise<Done | Failed> => {
  const { job_id, endpoint_id, names, key_type } = task;
  const found = readState(recordFile(state, job_id), recordSchema);
  if (found !== null && findJobKey(state, job_id) !== null)
    return sameNames(found.names, names) && found.key_type === key_type && found.endpoint_id === endpoint_id
      ? { status: 'done', csr: found.csr }
      : {
          status: 'failed',
          reason: `job ${job_id} has asked already, for ${found.names.join(', ')} (${found.key_type})`,
        };
  const key = await makeKeyOf(key_type);
  writeAtomically(keyFile(state, job_id), writeKey(key), privateMode);
  const csr = makeCsrFor(key, names);
  writeState(recordFile(state, job_id), { endpoint_id, names, key_type, csr, made_at: now });
  forgetKeys(state, endpoint_id, job_id, keptForRetries);
  return { status: 'done', csr };
};
