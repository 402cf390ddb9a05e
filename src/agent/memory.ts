/** The answers that were given: a task that is handed out again is answered again, and not done again. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { answerSchema, type Task } from './protocol.ts';
import { listState, readState, removeState, type State, stateFile, writeState } from './state.ts';

/** Answers that are kept; each has a few kilobytes at most. */
const most = 1_000;

const rememberedSchema = z.object({
  task_id: z.string(),
  /** What was asked, as a hash. */
  content: z.string(),
  answer: answerSchema,
  /** Whether the endpoint's consumer had what is in place when this was answered. */
  settled: z.boolean(),
});
export type Remembered = z.infer<typeof rememberedSchema>;

/** What a task asks for, whatever it is called and however long it lasts. */
export const contentOf = ({ task_id: _, expires_at: __, ...asked }: Task): string =>
  createHash('sha256')
    .update(JSON.stringify(Object.entries(asked).sort()))
    .digest('hex');

type About = Pick<Task, 'job_id' | 'kind'>;

export interface Memory {
  readonly recall: (about: About) => Remembered | null;
  /** On disk when it returns. @throws Refused for a full disk and the like; it is remembered until the agent ends */
  readonly remember: (about: About, remembered: Remembered) => void;
  readonly forget: (about: About) => void;
}

export const openMemory = (state: State): Memory => {
  /** What the disk would not take. */
  const unwritten = new Map<string, Remembered>();
  const nameOf = ({ job_id, kind }: About) => `${job_id}.${kind}.json`;
  const file = (name: string) => stateFile(state, 'answers', name);
  let count = listState(state, 'answers').length;
  return {
    recall: (about) => {
      const name = nameOf(about);
      return unwritten.get(name) ?? readState(file(name), rememberedSchema);
    },
    remember: (about, remembered) => {
      const name = nameOf(about);
      if (unwritten.size >= most) unwritten.clear();
      unwritten.set(name, remembered);
      writeState(file(name), remembered);
      unwritten.delete(name);
      count += 1;
      if (count <= most) return;
      const names = listState(state, 'answers');
      for (const old of names.slice(0, Math.max(0, names.length - (most * 9) / 10))) removeState(file(old));
      count = Math.min(names.length, (most * 9) / 10);
    },
    forget: (about) => {
      unwritten.delete(nameOf(about));
      removeState(file(nameOf(about)));
    },
  };
};
