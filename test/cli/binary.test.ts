/** The program itself, as a shell starts it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const home = mkdtempSync(join(tmpdir(), 'everleaf-bin-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const everleaf = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'bin/everleaf.ts', ...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: home, AWS_EC2_METADATA_DISABLED: 'true' },
  });
  return { status, stdout, stderr };
};

it('ends with 0, 1 or 2, prints results on one stream and complaints on the other', () => {
  expect(everleaf('--version')).toMatchObject({ status: 0, stderr: '' });
  expect(everleaf('principal', 'get', 'w')).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringMatching(/^everleaf: --server is missing/),
  });
});

it('says in one line, without the SDK’s advice, that there are no AWS credentials', () => {
  const { status, stdout, stderr } = everleaf(
    'bootstrap',
    '--environment=prod',
    '--domain=x.example',
    '--aws-region=eu-west-1',
  );
  expect([status, stdout, stderr]).toEqual([
    1,
    '',
    expect.stringMatching(/^everleaf: no AWS credentials found: [^\n]*\n$/),
  ]);
});
