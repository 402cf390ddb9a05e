/** Runs the real CDK command line against the emulator: synthesis, bootstrap, deployment. */
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { assertLocal } from './aws.ts';
import { killNow, tieToThisProcess } from './children.ts';
import { causeAndLog, tail } from './emulator.ts';
import { template } from './gateway/template.ts';
import { root } from './tools.ts';

export interface CdkOptions {
  /** What the CDK is told besides: endpoint, region, dummy credentials. */
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly signal: AbortSignal;
  /** Told each line that it says. */
  readonly said?: (line: string) => void;
}

/** Runs `cdk <words>`. @throws Error with the end of its log, and what failed as the last line. */
export const runCdk = async (words: readonly string[], { env, logFile, signal, said }: CdkOptions): Promise<void> => {
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
  for (const output of [child.stdout, child.stderr]) {
    output.pipe(log, { end: false });
    if (said) createInterface({ input: output }).on('line', said);
  }
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

/** Makes `<n> of <all> resources` of the lines that a deployment says, such as ` stack |  12 | 10:41:56 PM | CREATE_… |`. */
export const countResources = (templateFile: string, progress: (text: string) => void): ((line: string) => void) => {
  const all = Object.keys(template.parse(JSON.parse(readFileSync(templateFile, 'utf8'))).Resources).length;
  return (line) => {
    const made = /^\S+ \| +(\d+)(\/\d+)? \| /.exec(line)?.[1];
    // The stack itself is counted, too.
    if (made) progress(`${Math.min(Number(made), all)} of ${all} resources`);
  };
};
