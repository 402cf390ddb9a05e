/** One agent at a time works in a folder: two would swap each other's links. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Refused } from '../cli/failure.ts';
import { privateMode, removeIfThere } from '../cli/files.ts';
import { type State, stateFile } from './state.ts';

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

/** When a process began, as the kernel counts; '' where it does not say. A process id alone is used again. */
const startOf = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before may hold spaces and brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
};

const runs = (pid: number, start: string): boolean => {
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
  }
  return start === '' || startOf(pid) === start;
};

/** What gives the folder free again. A full disk locks nobody out. @throws Refused while another agent works in it */
export const lock = (state: State): (() => void) => {
  const file = stateFile(state, '', 'agent.lock');
  for (let tries = 2; ; tries -= 1) {
    try {
      writeFileSync(file, `${process.pid} ${startOf(process.pid)}\n`, { flag: 'wx', mode: privateMode });
      return () => removeIfThere(file);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') {
        removeIfThere(file);
        return () => undefined;
      }
      const [pid = '', start = ''] = readFileSync(file, 'utf8').trim().split(' ');
      if (runs(Number(pid), start) || tries === 0)
        throw new Refused(`another agent works in ${state.directory} already (process ${pid})`);
      removeIfThere(file);
    }
  }
};
