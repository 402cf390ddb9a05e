/** A function of a few lines, deployed to an emulator. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateFunctionCommand, type LambdaClient, waitUntilFunctionActiveV2 } from '@aws-sdk/client-lambda';
import { emulatorTools, installedPython } from '../../local/tools.ts';

/** `code`: CommonJS that exports a handler. */
export const createFunction = async (
  client: LambdaClient,
  {
    FunctionName,
    code,
    Timeout = 5,
    environment = {},
  }: { FunctionName: string; code: string; Timeout?: number; environment?: Record<string, string> },
): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'everleaf-small-function-'));
  writeFileSync(join(folder, 'index.js'), code);
  spawnSync(installedPython(emulatorTools) ?? '', ['-m', 'zipfile', '-c', 'code.zip', 'index.js'], { cwd: folder });
  await client.send(
    new CreateFunctionCommand({
      FunctionName,
      Runtime: 'nodejs24.x',
      Handler: 'index.handler',
      Role: `arn:aws:iam::000000000000:role/${FunctionName}`,
      Timeout,
      Environment: { Variables: environment },
      Code: { ZipFile: readFileSync(join(folder, 'code.zip')) },
    }),
  );
  rmSync(folder, { recursive: true, force: true });
  await waitUntilFunctionActiveV2({ client, maxWaitTime: 20 }, { FunctionName });
};
