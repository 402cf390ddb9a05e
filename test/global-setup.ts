/** Starts one AWS emulator for the unit tests of a run and hands its address to them. */
import type { TestProject } from 'vitest/node';
import { startEmulator } from '../local/emulator.ts';
import { emulatorTools, installedPython } from '../local/tools.ts';

/** What the tests of a run are told about the emulator. */
export type SharedEmulator = { endpoint: string; region: string } | { missing: string };

declare module 'vitest' {
  interface ProvidedContext {
    emulator: SharedEmulator;
  }
}

const howToGetIt =
  'the AWS emulator is not installed: `npx tsx local/prepare.ts` brings it (26 MB, once, into .everleaf/tools)';

export default async (project: TestProject): Promise<(() => Promise<void>) | undefined> => {
  if (installedPython(emulatorTools) === undefined) {
    if (process.env.CI === 'true') throw new Error(howToGetIt);
    process.stderr.write(`tests that need it are skipped: ${howToGetIt}\n`);
    project.provide('emulator', { missing: howToGetIt });
    return undefined;
  }
  const emulator = await startEmulator();
  project.provide('emulator', { endpoint: emulator.endpoint, region: emulator.region });
  return emulator.stop;
};
