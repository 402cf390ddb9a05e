/** cfn-lint on the template that is deployed: without errors. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { installedPython } from '../../local/tools.ts';
import { testTools } from '../tools.ts';
import { synthesise } from './synth.ts';

const python = installedPython(testTools);
if (python === undefined && process.env.CI === 'true') throw new Error('cfn-lint is missing: `npm test` brings it');

test.skipIf(python === undefined)(
  'cfn-lint finds no error (it is skipped where `npm test` has not brought it)',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'everleaf-cfn-lint-'));
    const file = join(folder, 'template.json');
    writeFileSync(file, JSON.stringify(synthesise()));
    const words = [
      '-c',
      'import sys; from cfnlint.runner import main; sys.exit(main())',
      '--non-zero-exit-code',
      'error',
      '--format',
      'parseable',
      '--',
      file,
    ];
    const found = await new Promise<string>((resolve) =>
      execFile(python ?? '', words, (error, stdout, stderr) => resolve(error ? `${stdout}${stderr}` : '')),
    );
    rmSync(folder, { recursive: true, force: true });
    expect(found).toBe('');
  },
  120_000,
);
