/** The agent as a process of its own: the command line's program, bundled as it is delivered. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export interface Program {
  readonly file: string;
  readonly remove: () => void;
}

/** Takes a second or two: once for a file of tests. */
export const buildProgram = async (): Promise<Program> => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const outdir = mkdtempSync(join(tmpdir(), 'everleaf-program-'));
  await build({
    absWorkingDir: root,
    entryPoints: ['bin/everleaf.ts'],
    outdir,
    outExtension: { '.js': '.mjs' },
    splitting: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
    },
  });
  symlinkSync(join(root, 'node_modules'), join(outdir, 'node_modules'));
  return { file: join(outdir, 'everleaf.mjs'), remove: () => rmSync(outdir, { recursive: true, force: true }) };
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
