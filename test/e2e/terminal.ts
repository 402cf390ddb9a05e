/** A person's terminal in front of the deployed local stack: a home with the bootstrap's files, `everleaf` and `aws` on PATH. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { localEnvironment } from '../../local/aws.ts';
import type { LocalCloud } from '../../local/cloud.ts';

/** What `.everleaf/local.json` says, as far as the tests use it. */
export type Cloud = Pick<
  LocalCloud,
  'server' | 'cacert' | 'client_cert' | 'client_key' | 'aws_endpoint' | 'region' | 'name' | 'environment'
>;

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Terminal {
  /** The folder that is HOME and the working directory. */
  readonly home: string;
  /** Runs a line as bash would, arguments unexpanded by us. */
  readonly run: (command: string, input?: string) => Promise<Run>;
}

export const openTerminal = (cloud: Cloud & { readonly awsPython: string }): Terminal => {
  const home = mkdtempSync(join(tmpdir(), 'everleaf-home-'));
  const folder = join(home, `.${cloud.name}`);
  mkdirSync(folder, { mode: 0o700 });
  const files = dirname(cloud.client_cert);
  for (const file of readdirSync(files)) if (file.endsWith('.pem')) copyFileSync(join(files, file), join(folder, file));
  const bin = join(home, 'bin');
  mkdirSync(bin);
  const command = new URL('../../dist/everleaf.mjs', import.meta.url).pathname;
  for (const name of ['everleaf', 'airunner-cli']) symlinkSync(command, join(bin, name));
  writeFileSync(join(bin, 'aws'), `#!/bin/sh\nexec '${cloud.awsPython}' -m awscli "$@"\n`, { mode: 0o755 });
  const env: NodeJS.ProcessEnv = {
    ...localEnvironment(cloud.aws_endpoint, cloud.region),
    PATH: `${bin}:${process.env.PATH}`,
    HOME: home,
    LANG: 'C.UTF-8',
    AWS_PAGER: '',
  };
  return {
    home,
    run: (line, input) =>
      new Promise((resolve, reject) => {
        const child = spawn('bash', ['-c', line], { cwd: home, env, stdio: ['pipe', 'pipe', 'pipe'] });
        let stdout = '';
        let stderr = '';
        child.stdout.on('data', (chunk: Buffer) => {
          stdout += chunk.toString();
        });
        child.stderr.on('data', (chunk: Buffer) => {
          stderr += chunk.toString();
        });
        child.on('error', reject);
        child.on('close', (code) => resolve({ code, stdout, stderr }));
        child.stdin.on('error', () => {});
        child.stdin.end(input ?? '');
      }),
  };
};

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** One call over a new TLS connection with a client certificate; what a worker does. */
export const call = (
  cloud: Cloud,
  identity: { cert: string; key: string } | null,
  path: string,
  options: { method?: string; body?: string | Buffer; headers?: Record<string, string> } = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, cloud.server),
      {
        method: options.method ?? 'GET',
        agent: false,
        ca: readFileSync(cloud.cacert),
        headers: options.headers,
        ...(identity ?? {}),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(options.body);
  });
