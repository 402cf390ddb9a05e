/** One program at a time writes a file: a lock beside it says which one does. */
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { Refused } from './failure.ts';
import { privateMode, removeIfThere } from './files.ts';
import { jsonLine } from './print.ts';
import { parseJson } from './request.ts';

const holderSchema = z.strictObject({ pid: z.number().int().min(1), began: z.string(), host: z.string() });
type Holder = z.infer<typeof holderSchema>;

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

/** When a process began, as the kernel counts; '' where it does not say. A process id alone is used again. */
const beganAt = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before may hold spaces and brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
};

/** What runs on another machine cannot be asked: it counts as running. */
const runs = ({ pid, began, host }: Holder): boolean => {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
  }
  return beganAt(pid) === began;
};

const readHolder = (lock: string): Holder | null | undefined => {
  try {
    return holderSchema.safeParse(parseJson(readFileSync(lock, 'utf8'))).data ?? null;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    return null;
  }
};

/**
 * Answers what gives the file free again. A lock that a killed program left is taken over; a folder that takes no files,
 * and a full disk, lock nobody out. @throws Refused while another program writes the file
 */
export const lockFile = (file: string): (() => void) => {
  const lock = `${file}.lock`;
  const own: Holder = { pid: process.pid, began: beganAt(process.pid), host: hostname() };
  for (let tries = 2; ; tries -= 1) {
    try {
      writeFileSync(lock, jsonLine(own), { flag: 'wx', mode: privateMode });
      return () => removeIfThere(lock);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') {
        if (codeOf(error) === 'ENOSPC') removeIfThere(lock);
        return () => undefined;
      }
    }
    const holder = readHolder(lock);
    if (holder === undefined) continue;
    if (holder === null || runs(holder) || tries <= 0)
      throw new Refused(
        `another command writes ${file}${holder === null ? '' : ` (process ${holder.pid} on ${holder.host})`}; wait for it, name another file, or remove ${lock} if none does`,
      );
    removeIfThere(lock);
  }
};
