import { afterEach, describe, expect, it, vi } from 'vitest';
import { assertLocal, localEnvironment } from '../../local/aws.ts';
import { runCdk } from '../../local/cdk.ts';
import { runCli } from '../../local/cli.ts';

const local = () => localEnvironment('http://127.0.0.1:4566', 'us-east-1');
afterEach(() => vi.unstubAllEnvs());

describe('a command of the local cloud', () => {
  it('gets nothing of the user’s AWS settings', () => {
    for (const name of [
      'AWS_PROFILE',
      'AWS_SESSION_TOKEN',
      'AWS_ACCESS_KEY_ID',
      'AWS_CONFIG_FILE',
      'CDK_DEFAULT_ACCOUNT',
    ])
      vi.stubEnv(name, 'the-user’s');
    expect(Object.values(assertLocal(local()))).not.toContain('the-user’s');
  });

  it.each([
    { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE' },
    { AWS_SECRET_ACCESS_KEY: 'another' },
    { AWS_PROFILE: 'prod' },
    { AWS_SESSION_TOKEN: 'token' },
    { AWS_CONFIG_FILE: '/home/user/.aws/config' },
    { AWS_ENDPOINT_URL: 'https://dynamodb.us-east-1.amazonaws.com' },
    { AWS_ENDPOINT_URL: '' },
  ])('is not run with %o', async (other) => {
    const env = { ...local(), ...other };
    expect(() => assertLocal(env)).toThrow();
    await expect(runCli(['--version'], env)).rejects.toThrow();
    const { signal } = new AbortController();
    await expect(runCdk(['--version'], { env, logFile: '/dev/null', signal })).rejects.toThrow();
  });
});
