/** Who may change a file or folder: what others can write into is nothing to keep keys in, or to take commands from. */
import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Misuse } from '../cli/failure.ts';

const writtenByOthers = 0o022;
/** In such a folder only a file's owner renames or removes it. */
const sticky = 0o1000;

const ours = ({ uid }: Stats): boolean => process.getuid === undefined || uid === process.getuid();

const octal = (mode: number): string => (mode & 0o7777).toString(8);

/** Every folder above decides what a path leads to. @throws Misuse naming `what` and the folder */
const checkParents = (path: string, what: string): void => {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const found = statSync(folder);
    if (!ours(found) && found.uid !== 0) throw new Misuse(`${what}: ${folder} belongs to another user`);
    if ((found.mode & writtenByOthers) !== 0 && (found.mode & sticky) === 0)
      throw new Misuse(`${what}: others can write into ${folder}; chmod go-w ${folder}`);
    if (folder === dirname(folder)) return;
  }
};

/** A file that says what is done here. @throws Misuse naming `what` where others could write it, or put another in its place */
export const checkUntouchable = (file: string, found: Stats, what: string): void => {
  if (process.getuid === undefined) return;
  if (!ours(found) && found.uid !== 0) throw new Misuse(`${what}: ${file} belongs to another user`);
  if ((found.mode & writtenByOthers) !== 0) throw new Misuse(`${what}: others can change ${file}; chmod go-w ${file}`);
  checkParents(file, what);
};

/** A folder that holds keys, no wider than `mode`. @throws Misuse naming `what`, with the command that cures it */
export const checkFolder = (folder: string, mode: number, what: string): Stats => {
  const found = statSync(folder);
  if (!found.isDirectory()) throw new Misuse(`${what}: ${folder} is no folder`);
  if (process.getuid === undefined) return found;
  if (!ours(found)) throw new Misuse(`${what}: ${folder} belongs to another user`);
  if ((found.mode & 0o777 & ~mode) !== 0)
    throw new Misuse(
      `${what}: ${folder} is open to others (mode ${octal(found.mode & 0o777)}); chmod ${octal(mode)} ${folder}`,
    );
  checkParents(folder, what);
  return found;
};
