/** Starts the local cloud that the end-to-end tests share: the very stack, named as the mTLS runbook names it. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { localEnvironment } from '../../local/aws.ts';
import { startLocalCloud } from '../../local/cloud.ts';
import { emulatorTools, installedPython, root } from '../../local/tools.ts';
import { testTools } from '../tools.ts';
import type { Cloud } from './terminal.ts';

export interface SharedCloud extends Cloud {
  readonly domain: string;
  readonly templateFile: string;
  readonly callsFile: string;
  readonly passphraseFile: string;
  /** A Python that has the AWS command line as a module. */
  readonly awsPython: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    cloud: SharedCloud | null;
  }
}

/** What this cloud leaves: logs, and what the check of permissions reads. */
export const stateDir = join(root, '.everleaf', 'e2e');

export default async (project: TestProject): Promise<(() => Promise<void>) | undefined> => {
  const awsPython = installedPython(testTools);
  if (awsPython === undefined || installedPython(emulatorTools) === undefined) {
    const howToGetIt = 'the local cloud or the AWS command line is not installed: `npm test` brings them';
    if (process.env.CI === 'true') throw new Error(howToGetIt);
    process.stderr.write(`end-to-end tests are skipped: ${howToGetIt}\n`);
    project.provide('cloud', null);
    return undefined;
  }
  const cloud = await startLocalCloud({
    name: 'airunner',
    environment: 'prod',
    domain: 'airunner.example.com',
    region: 'ap-southeast-2',
    stateDir,
  });
  const { server, cacert, client_cert, client_key, aws_endpoint, region, name, environment } = cloud;
  const { domain, templateFile, passphraseFile, callsFile = '' } = cloud;
  // For the check of permissions, which runs when this cloud is gone.
  const ask = (...words: string[]): string =>
    execFileSync(awsPython, ['-m', 'awscli', ...words, '--output', 'json'], {
      encoding: 'utf8',
      env: { ...localEnvironment(aws_endpoint, region), AWS_PAGER: '' },
      maxBuffer: 64 * 1024 * 1024,
    });
  writeFileSync(join(stateDir, 'functions.json'), ask('lambda', 'list-functions'));
  writeFileSync(join(stateDir, 'roles.json'), ask('iam', 'get-account-authorization-details', '--filter', 'Role'));
  project.provide('cloud', {
    ...{ server, cacert, client_cert, client_key, aws_endpoint, region, name, environment },
    ...{ domain, templateFile, passphraseFile, callsFile, awsPython },
  });
  return cloud.stop;
};
