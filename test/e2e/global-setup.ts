/** Starts the local cloud that the end-to-end tests share: the very stack, named as the mTLS runbook names it. */
import type { TestProject } from 'vitest/node';
import { startLocalCloud } from '../../local/cloud.ts';
import { emulatorTools, installedPython } from '../../local/tools.ts';
import { testTools } from '../tools.ts';
import { recordFolders, recordRoles } from './record-roles.ts';
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
    stateDir: recordFolders.main,
  });
  const { server, cacert, client_cert, client_key, aws_endpoint, region, name, environment } = cloud;
  const { domain, templateFile, passphraseFile, callsFile = '' } = cloud;
  recordRoles(recordFolders.main, awsPython, aws_endpoint, region);
  project.provide('cloud', {
    ...{ server, cacert, client_cert, client_key, aws_endpoint, region, name, environment },
    ...{ domain, templateFile, passphraseFile, callsFile, awsPython },
  });
  return cloud.stop;
};
