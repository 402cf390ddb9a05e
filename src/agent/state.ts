/** The agent's own folder: what it remembers of jobs, on disk before it counts. */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { privateMode, readOurs, removeIfThere, writeAtomically } from '../cli/files.ts';
import { checkFolder } from './folder.ts';

const parts = ['journal', 'answers', 'keys'] as const;
type Part = (typeof parts)[number];

export interface State {
  readonly directory: string;
}

/** What a write that was cut off leaves beside. */
const leftover = /^\..+\.[0-9a-f]{16}\.tmp$/;

/** Removes what writes that were cut off left in a folder. */
export const sweep = (folder: string): void => {
  for (const name of readdirSync(folder)) if (leftover.test(name)) removeIfThere(join(folder, name));
};

/** Makes the folder where it is missing, for its owner alone. @throws Misuse where others may look into it */
export const openState = (directory: string): State => {
  for (const folder of [directory, ...parts.map((part) => join(directory, part))]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    checkFolder(folder, 0o700, 'state_dir');
    sweep(folder);
  }
  return { directory };
};

export const stateFile = ({ directory }: State, part: Part | '', name: string): string => join(directory, part, name);

/** null: there is none, or nothing that this version of the agent understands. @throws Misuse for a file that others may change */
export const readState = <T>(file: string, schema: z.ZodType<T>): T | null => {
  const text = readOurs(file, 'state_dir', privateMode);
  if (text === null) return null;
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
};

/** On disk when it returns. @throws Refused for a full disk and the like */
export const writeState = (file: string, value: unknown): void =>
  writeAtomically(file, `${JSON.stringify(value)}\n`, privateMode);

export const removeState = (file: string): void => rmSync(file, { force: true });

/** The names in a part, the oldest first. */
export const listState = (state: State, part: Part): string[] =>
  readdirSync(join(state.directory, part))
    .filter((name) => !name.startsWith('.'))
    .map((name) => ({ name, at: statSync(stateFile(state, part, name)).mtimeMs }))
    .sort((one, other) => one.at - other.at)
    .map(({ name }) => name);
