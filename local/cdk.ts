/** Runs the real CDK command line against the emulator: synthesis, bootstrap, deployment. */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { assertLocal } from './aws.ts';
import { killNow, tieToThisProcess } from './children.ts';
import { causeAndLog, tail } from './emulator.ts';
import { root } from './tools.ts';

export interface CdkOptions {
  /** What the CDK is told besides: endpoint, region, dummy credentials. */
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly signal: AbortSignal;
}

/** Runs `cdk <words>`. @throws Error with the end of its log, and what failed as the last line. */
export const runCdk = async (words: readonly string[], { env, logFile, signal }: CdkOptions): Promise<void> => {
  const log = createWriteStream(logFile, { flags: 'a' });
  log.write(`\n$ cdk ${words.join(' ')}\n`);
  const cdk = join(root, 'node_modules', 'aws-cdk', 'bin', 'cdk');
  const child = spawn(process.execPath, [cdk, ...words, '--no-color', '--no-notices'], {
    cwd: root,
    env: { ...assertLocal(env), NODE_NO_WARNINGS: '1', CI: 'true' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that what it starts (npx, tsx, esbuild) ends with it.
    detached: true,
  });
  tieToThisProcess(child, { group: true });
  const stop = () => killNow(child, true);
  signal.addEventListener('abort', stop, { once: true });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  signal.removeEventListener('abort', stop);
  await new Promise<void>((resolve) => log.end(resolve));
  signal.throwIfAborted();
  if (status !== 0) throw new Error(causeAndLog(`cdk ${words[0]} failed`, logFile, whatFailed(tail(logFile, 400))));
};

/** Of a long log, the lines that say what went wrong; of one without such lines, its end. */
const whatFailed = (log: string): string => {
  const lines = log.split('\n');
  const telling = lines.filter((line) => /_FAILED|\bError:|❌|error:/.test(line) && !/DELETE_/.test(line));
  return (telling.length > 0 ? telling : lines).slice(-15).join('\n');
};
