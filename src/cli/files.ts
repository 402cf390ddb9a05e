/** Files on the user's disk: whole or not there at all, never overwritten without a `.prev`, keys readable by their owner only. */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Misuse, Refused } from './failure.ts';

export const privateMode = 0o600;
export const publicMode = 0o644;

/** `~/…` as the shell would expand it; a shell leaves it alone in `--option=~/…`. */
export const expandHome = (path: string, home: string): string =>
  path === '~' ? home : path.startsWith('~/') ? join(home, path.slice(2)) : path;

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

const reason = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Record<string, string> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of the path is not a folder',
    ENOSPC: 'the disk is full',
    EROFS: 'the disk is read-only',
  };
  return known[code] ?? (error instanceof Error ? error.message : String(error));
};

const isWrongPath = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  ['ENOENT', 'EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'EROFS'].includes(String(error.code));

/** null: there is no such file. @throws Misuse naming `option` when it cannot be read. */
export const readIfThere = (file: string, option: string): string | null => {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw new Misuse(`${option}: cannot read ${file}: ${reason(error)}`);
  }
};

/** @throws Misuse naming `option`. */
export const readText = (file: string, option: string): string => {
  const text = readIfThere(file, option);
  if (text === null) throw new Misuse(`${option}: cannot read ${file}: there is no such file or folder`);
  return text;
};

const syncDirectory = (directory: string): void => {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
};

/** Written beside, flushed, then renamed over: a crash leaves the old file or the new one. @throws Misuse for a wrong path; Refused for a full disk and the like. */
export const writeAtomically = (file: string, text: string, mode: number): void => {
  const beside = join(dirname(file), `.${basename(file)}.${process.pid}.tmp`);
  try {
    const handle = openSync(beside, 'w', mode);
    try {
      writeFileSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(beside, file);
    syncDirectory(dirname(file));
  } catch (error) {
    removeIfThere(beside);
    const said = `cannot write ${file}: ${reason(error)}`;
    throw isWrongPath(error) ? new Misuse(said) : new Refused(said);
  }
};

/** Asked before something is done whose outcome goes into the file. @throws Misuse naming `option`. */
export const checkWritable = (file: string, option: string): void => {
  try {
    accessSync(dirname(file), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Misuse(`${option}: cannot write ${file}: ${reason(error)}`);
  }
};

/** Renames, and flushes the folder. */
export const moveOver = (from: string, to: string): void => {
  renameSync(from, to);
  syncDirectory(dirname(to));
};

export const removeIfThere = (file: string): void => {
  try {
    unlinkSync(file);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
};

/** Copies what stands in the file to `.prev`, if anything does. */
export const keepPrevious = (file: string, mode: number): void => {
  const old = readIfThere(file, file);
  if (old !== null) writeAtomically(`${file}.prev`, old, mode);
};

/** Replaces a file whose content changes and keeps the old one as `.prev`. Says whether it changed. */
export const replaceFile = (file: string, text: string, mode: number): boolean => {
  if (readIfThere(file, file) === text) return false;
  keepPrevious(file, mode);
  writeAtomically(file, text, mode);
  return true;
};

/** A folder that only its owner can enter, made with its parents where it is missing. @throws Misuse naming `option`. */
export const makePrivateFolder = (folder: string, option: string): void => {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Misuse(`${option}: cannot make ${folder}: ${reason(error)}`);
  }
};
