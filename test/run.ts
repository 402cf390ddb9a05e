/**
 * `npm test`: runs every check and ends with one line that counts them, `N passed, N failed`.
 * `--full` runs the large counts at the size that the issue states; further words go to vitest (`npm test -- decide`).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { emulatorTools, installPython, MissingTool } from '../local/tools.ts';
import { testTools } from './tools.ts';

const results = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numFailedTestSuites: z.number(),
  success: z.boolean(),
});

for (const tools of [emulatorTools, testTools]) {
  try {
    await installPython(tools, (line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    // The tests that need it say so themselves: skipped on a user's machine, failed with CI=true.
    process.stderr.write(`${error.message}\n`);
  }
}

const words = process.argv.slice(2);
const full = words.includes('--full');
const folder = mkdtempSync(join(tmpdir(), 'everleaf-test-'));
const report = join(folder, 'report.json');
const run = spawnSync(
  'vitest',
  [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...words.filter((word) => word !== '--full'),
  ],
  // What tests leave in the folder for temporary files goes with it, homes with keys among them.
  { stdio: 'inherit', env: { ...process.env, TMPDIR: folder, ...(full ? { EVERLEAF_TEST_FULL: '1' } : {}) } },
);

let line = '0 passed, 1 failed';
let success = false;
try {
  const counts = results.parse(JSON.parse(readFileSync(report, 'utf8')));
  // A file that could not be loaded counts as a failure of its own: it ran none of its tests.
  const failed = Math.max(counts.numFailedTests, counts.success ? 0 : 1);
  success = counts.success && run.status === 0 && counts.numPassedTests > 0;
  const skipped = counts.numPendingTests > 0 ? `, ${counts.numPendingTests} skipped` : '';
  line = `${counts.numPassedTests} passed, ${success ? 0 : failed} failed${skipped}`;
} catch (error) {
  process.stderr.write(`no test report: ${error instanceof Error ? error.message : String(error)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${line}\n`);
process.exitCode = success ? 0 : 1;
