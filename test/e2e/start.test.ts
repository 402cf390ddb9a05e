/** `npm start` as a person uses it: it comes up, plays the main job, answers, and Ctrl-C leaves nothing behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { root } from '../../local/tools.ts';
import { describeWithCloud } from './cloud.ts';
import { type Cloud, call } from './terminal.ts';

const localFile = join(root, '.everleaf', 'local.json');

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describeWithCloud('npm start', () => {
  const children: ChildProcess[] = [];
  const start = (...words: string[]) => {
    // A group of its own, as a terminal gives it: Ctrl-C reaches npm and all that it started.
    const child = spawn('npm', ['start', '--', ...words], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    return { child, ended, said: () => said };
  };
  afterAll(() => {
    for (const { pid, exitCode, signalCode } of children)
      if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
  });

  test('plays the main job, stays up, refuses a second one, and ends with Ctrl-C', { timeout: 300_000 }, async () => {
    const { child, ended, said } = start('--name', 'started', '--environment', 'test');
    const ready = () => existsSync(localFile) && JSON.parse(readFileSync(localFile, 'utf8')).ready === true;
    await expect.poll(() => ready() || child.exitCode !== null, { timeout: 240_000, interval: 250 }).toBe(true);
    expect(child.exitCode, said()).toBeNull();
    const local: Cloud & { pids: number[] } = JSON.parse(readFileSync(localFile, 'utf8'));
    expect(local).toMatchObject({ name: 'started', environment: 'test', region: 'us-east-1' });
    for (const line of [
      '401 {"message": "principal suspended: Compromised credentials detected"}',
      '401 {"message": "certificate revoked: key_compromise"}',
      'status: active → suspended',
      'The audit chain is valid: all ',
    ])
      expect(said()).toContain(line);

    const pair = { cert: readFileSync(local.client_cert, 'utf8'), key: readFileSync(local.client_key, 'utf8') };
    expect((await call(local, pair, '/whoami')).status).toBe(200);

    const second = start();
    expect(await second.ended).toBe(1);
    expect(second.said()).toMatch(/runs already/);

    process.kill(-(child.pid ?? 0), 'SIGINT');
    await ended;
    await expect.poll(() => local.pids.filter(isAlive), { timeout: 15_000 }).toEqual([]);
    expect(existsSync(localFile)).toBe(false);
  });
});
