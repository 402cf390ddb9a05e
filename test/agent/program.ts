/** The agent as a process of its own: the command line's program, bundled as it is delivered. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../../bin/bundle.ts';

export interface Program {
  readonly file: string;
  readonly remove: () => void;
}

/** Takes a second or two: once for a file of tests. */
export const buildProgram = async (): Promise<Program> => {
  const folder = mkdtempSync(join(tmpdir(), 'everleaf-program-'));
  return { file: await bundle(folder), remove: () => rmSync(folder, { recursive: true, force: true }) };
};

export interface Started {
  readonly child: ChildProcess;
  readonly said: () => string;
  /** How it ended: its exit code, or the signal. */
  readonly ended: Promise<number | string | null>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Before the program: `node --import …`. */
  readonly nodeArgs?: readonly string[];
  /** What runs it: `[program, ...arguments]` before node itself. */
  readonly wrapper?: readonly string[];
}

export const startProgram = (
  { file }: Program,
  args: readonly string[],
  { env = {}, nodeArgs = [], wrapper = [] }: StartOptions = {},
): Started => {
  const [command = '', ...rest] = [...wrapper, process.execPath, ...nodeArgs, file, ...args];
  const child = spawn(command, rest, {
    env: { PATH: process.env.PATH, HOME: tmpdir(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal) as Promise<number | string | null>;
  return { child, said: () => said, ended };
};
