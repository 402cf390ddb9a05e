/** Runs a command of the node's own file: no shell, a clean environment, a process group of its own, a time limit. */
import { spawn } from 'node:child_process';
import { clean } from '../access/reason.ts';
import { withoutKeys } from './log.ts';

export interface Command {
  readonly words: readonly string[];
  /** Beside PATH, HOME and LANG. */
  readonly env: Readonly<Record<`EVERLEAF_${string}`, string>>;
  readonly timeout_ms: number;
}

/** Between TERM and KILL, ms. */
const grace = 5_000;
/** How long the output of a command that has ended is waited for, ms. */
const drain = 200;
/** Characters of what a command says last, for the reason of a failure. */
const keptOutput = 4_000;
const toldOutput = 600;

const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Nothing else of the agent's environment: an enrolment token stands there, too. */
const inherited = (): Record<string, string> => ({
  PATH: process.env.PATH ?? usualPath,
  HOME: process.env.HOME ?? '/',
  LANG: process.env.LANG ?? 'C.UTF-8',
});

const endGroup = (pid: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void => {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // All of it has ended already.
  }
};

/** null: it ended with 0; else what happened, with the end of what it said. Never rejects. */
export const runCommand = ({ words: [program = '', ...args], env, timeout_ms }: Command): Promise<string | null> =>
  new Promise((resolve) => {
    let said = '';
    let late = false;
    const timers: NodeJS.Timeout[] = [];
    const child = spawn(program, args, {
      env: { ...inherited(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      cwd: '/',
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString('utf8')).slice(-keptOutput);
      });
    const end = (what: string | null) => {
      for (const timer of timers) clearTimeout(timer);
      // What it left running may hold the other ends open for ever.
      child.stdout.destroy();
      child.stderr.destroy();
      if (what === null) return resolve(null);
      const words = clean(withoutKeys(said), keptOutput).slice(-toldOutput);
      resolve(`${program} ${what}${words === '' ? '' : `: ${words}`}`);
    };
    child.on('error', (error) => end(`cannot be run: ${'code' in error ? String(error.code) : error.message}`));
    child.on('exit', (code, signal) => {
      if (late) {
        endGroup(child.pid, 'SIGKILL');
        return end(`did not end within ${timeout_ms / 1000} seconds`);
      }
      const what = code === 0 ? null : code === null ? `was ended by ${signal}` : `ended with ${code}`;
      // What it said last may still be on its way; what it left running may keep that way open.
      child.once('close', () => end(what));
      timers.push(setTimeout(() => end(what), drain));
    });
    timers.push(
      setTimeout(() => {
        late = true;
        endGroup(child.pid, 'SIGTERM');
        timers.push(setTimeout(() => endGroup(child.pid, 'SIGKILL'), grace));
      }, timeout_ms),
    );
  });
