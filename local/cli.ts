/** Runs the real command line, `dist/everleaf.mjs`, as a user would. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { assertLocal } from './aws.ts';
import { tieToThisProcess } from './children.ts';
import { root } from './tools.ts';

export const cliFile = join(root, 'dist', 'everleaf.mjs');

export interface CliResult {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

const run = (file: string, words: readonly string[], env: NodeJS.ProcessEnv): Promise<CliResult> =>
  new Promise((resolve, reject) => {
    const child = tieToThisProcess(
      spawn(process.execPath, [file, ...words], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, out, err }));
  });

const newest = (folder: string): number =>
  Math.max(
    0,
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );

/** Builds it unless it is newer than its source. */
export const buildCli = async (): Promise<void> => {
  const built = existsSync(cliFile) ? statSync(cliFile).mtimeMs : 0;
  if (built > Math.max(newest(join(root, 'src')), newest(join(root, 'bin')))) return;
  const tsx = join(root, 'node_modules', 'tsx', 'dist', 'cli.mjs');
  const { status, err } = await run(tsx, [join(root, 'bin', 'build.ts')], process.env);
  if (status !== 0) throw new Error(`building the command line failed:\n${err}`);
};

/** Runs `everleaf <words>`. @throws Error with what it said when it fails. */
export const runCli = async (words: readonly string[], env: Readonly<Record<string, string>>): Promise<CliResult> => {
  const result = await run(cliFile, words, assertLocal(env));
  if (result.status !== 0)
    throw new Error(`everleaf ${words.join(' ')} ended with ${result.status}: ${result.err || result.out}`);
  return result;
};
