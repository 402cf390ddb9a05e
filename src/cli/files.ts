/** Files on the user's disk: whole or not there at all, never overwritten without a `.prev`, keys readable by their owner only. */
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
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

export const reason = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Record<string, string> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of the path is not a folder',
    ENOSPC: 'the disk is full',
    EROFS: 'the disk is read-only',
    ELOOP: 'it is a symbolic link',
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

/** Bits of a mode: written by the group or others; that, or read by them; only a file's owner may rename or remove it. */
const writtenByOthers = 0o022;
const openToOthers = 0o066;
const sticky = 0o1000;

/** Whether the file is of whoever runs this. Where files have no owners, everything is. */
export const isOurs = ({ uid }: { uid: number }): boolean => process.getuid === undefined || uid === process.getuid();

/**
 * A file that only an earlier run of ours can have left: a key, or what is to go beside one. null: there is no such file.
 * @throws Misuse naming `option` for a symbolic link, another user's file, or one whose mode is wider than `mode`.
 */
export const readOurs = (file: string, option: string, mode: number): string | null => {
  let handle: number;
  try {
    handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isMissing(error)) return null;
    throw new Misuse(`${option}: cannot read ${file}: ${reason(error)}`);
  }
  try {
    const found = fstatSync(handle);
    if (!isOurs(found)) throw new Misuse(`${option}: ${file} belongs to another user; move it away`);
    if (process.getuid !== undefined && (found.mode & openToOthers & ~mode) !== 0)
      throw new Misuse(
        `${option}: others can read or change ${file}; chmod ${mode.toString(8)} ${file}, or move it away`,
      );
    return readFileSync(handle, 'utf8');
  } finally {
    closeSync(handle);
  }
};

const syncDirectory = (directory: string): void => {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
};

/**
 * Written beside under a name that nobody can have taken, flushed, then renamed over: a crash leaves the old file or the
 * new one. @throws Misuse for a wrong path; Refused for a full disk and the like.
 */
export const writeAtomically = (file: string, text: string, mode: number): void => {
  const beside = join(dirname(file), `.${basename(file)}.${randomBytes(8).toString('hex')}.tmp`);
  try {
    const handle = openSync(beside, 'wx', privateMode);
    try {
      fchmodSync(handle, mode);
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

/** Copies what stands in the file to `.prev`, if anything does; readable by nobody who could not read it. @throws Misuse for another user's. */
export const keepPrevious = (file: string, mode: number): void => {
  const old = readIfThere(file, file);
  if (old === null) return;
  if (!isOurs(lstatSync(file))) throw new Misuse(`${file} belongs to another user; move it away, or name another file`);
  writeAtomically(`${file}.prev`, old, mode & statSync(file).mode);
};

/** Replaces a file whose content changes and keeps the old one as `.prev`. Says whether it changed. */
export const replaceFile = (file: string, text: string, mode: number): boolean => {
  if (readIfThere(file, file) === text) return false;
  keepPrevious(file, mode);
  writeAtomically(file, text, mode);
  return true;
};

/**
 * A folder for keys. Where it is missing it is made, with its parents, for its owner alone. @throws Misuse naming `option`
 * for one in which others could put, rename or remove files of ours.
 */
export const makePrivateFolder = (folder: string, option: string): void => {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Misuse(`${option}: cannot make ${folder}: ${reason(error)}`);
  }
  const found = statSync(folder);
  if (!isOurs(found) && found.uid !== 0)
    throw new Misuse(`${option}: ${folder} belongs to another user; name a folder of your own`);
  if (process.getuid !== undefined && (found.mode & writtenByOthers) !== 0 && (found.mode & sticky) === 0)
    throw new Misuse(`${option}: others can write into ${folder}; chmod go-w ${folder}, or name another folder`);
};
