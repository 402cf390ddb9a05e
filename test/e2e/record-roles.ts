/** Keeps what the check of permissions needs of a deployment that will be gone by then: its functions, state machines and their roles. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { localEnvironment } from '../../local/aws.ts';
import { root } from '../../local/tools.ts';

/** One folder for each emulator of a run: `calls.jsonl`, written by the recorder, and the files written here. */
export const recordFolders = {
  main: join(root, '.everleaf', 'e2e'),
  redeploy: join(root, '.everleaf', 'e2e-redeploy'),
} as const;

const listed = z.object({ stateMachines: z.array(z.object({ stateMachineArn: z.string() })) });

export const recordRoles = (folder: string, awsPython: string, endpoint: string, region: string): void => {
  const env = { ...localEnvironment(endpoint, region), AWS_PAGER: '' };
  const ask = (...words: string[]): string =>
    execFileSync(awsPython, ['-m', 'awscli', ...words, '--output', 'json'], {
      encoding: 'utf8',
      env,
      maxBuffer: 64 * 1024 * 1024,
    });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'functions.json'), ask('lambda', 'list-functions'));
  const machines = listed.parse(JSON.parse(ask('stepfunctions', 'list-state-machines'))).stateMachines;
  const described = machines.map(({ stateMachineArn }): unknown =>
    JSON.parse(ask('stepfunctions', 'describe-state-machine', '--state-machine-arn', stateMachineArn)),
  );
  writeFileSync(join(folder, 'state-machines.json'), JSON.stringify(described));
  writeFileSync(join(folder, 'roles.json'), ask('iam', 'get-account-authorization-details', '--filter', 'Role'));
};
