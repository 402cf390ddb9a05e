/** What was begun and is not answered yet: one file a job, on disk before anything of it can be seen. */
import { z } from 'zod';
import { fingerprintSchema } from './protocol.ts';
import { listState, readState, removeState, type State, stateFile, writeState } from './state.ts';

const fingerprint = fingerprintSchema.nullable();

const entrySchema = z.object({
  task_id: z.string(),
  job_id: z.string(),
  endpoint_id: z.string(),
  kind: z.enum(['deploy', 'restore']),
  /** What tells this task from another one of the job's. */
  content: z.string(),
  /** Where it was begun. */
  directory: z.string(),
  /** What is to be put in place. */
  fingerprint: fingerprintSchema,
  /** What the links led to before. */
  before: z.object({ current: fingerprint, previous: fingerprint }),
  step: z.discriminatedUnion('name', [
    z.object({ name: z.literal('placing') }),
    /** The links are put back; the consumer is told if it may have seen the new version. */
    z.object({ name: z.literal('undoing'), reason: z.string(), reload: z.boolean() }),
  ]),
});
export type Entry = z.infer<typeof entrySchema>;

const file = (state: State, job_id: string) => stateFile(state, 'journal', `${job_id}.json`);

/** On disk when it returns. @throws Refused for a full disk and the like: then nothing may be begun */
export const writeEntry = (state: State, entry: Entry): void => writeState(file(state, entry.job_id), entry);

export const closeEntry = (state: State, job_id: string): void => removeState(file(state, job_id));

const readAll = (state: State): Entry[] =>
  listState(state, 'journal').flatMap((name) => {
    const entry = readState(stateFile(state, 'journal', name), entrySchema);
    return entry === null ? [] : [entry];
  });

/** null: nothing of the job's is unfinished. */
export const findEntry = (state: State, job_id: string): Entry | null => readState(file(state, job_id), entrySchema);

/** Closes what other jobs left unfinished at the same endpoint: `entry` goes on from what stands there now. */
export const supersede = (state: State, { endpoint_id, job_id }: Entry): void => {
  for (const other of readAll(state))
    if (other.endpoint_id === endpoint_id && other.job_id !== job_id) closeEntry(state, other.job_id);
};

/** What is unfinished; of an endpoint's, the last that was begun. */
export const newestEntries = (state: State): Entry[] => [
  ...new Map(readAll(state).map((entry) => [entry.endpoint_id, entry])).values(),
];
