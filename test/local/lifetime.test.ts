import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { assertPortFree } from '../../local/cloud.ts';
import { startEmulator } from '../../local/emulator.ts';
import { emulatorTools, installedPython, root } from '../../local/tools.ts';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const soon = async (what: () => boolean): Promise<boolean> => {
  for (let n = 0; n < 100 && !what(); n += 1) await new Promise((resolve) => setTimeout(resolve, 100));
  return what();
};

describe.skipIf(!installedPython(emulatorTools))('what is started ends', () => {
  const folder = mkdtempSync(join(tmpdir(), 'everleaf-lifetime-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('an emulator ends with the process that started it, even one that is killed without a word', async () => {
    const code = `import { startEmulator } from ${JSON.stringify(join(root, 'local', 'emulator.ts'))};
      startEmulator({ stateDir: ${JSON.stringify(folder)} }).then(({ pid }) => console.log(pid)); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = await new Promise<number>((resolve) =>
      parent.stdout.once('data', (line: Buffer) => resolve(Number(line))),
    );
    expect(isAlive(pid)).toBe(true);
    const functions = readFileSync(join(folder, 'functions'), 'utf8');
    expect(existsSync(functions)).toBe(true);
    parent.kill('SIGKILL');
    expect(await soon(() => !isAlive(pid))).toBe(true);
    expect(existsSync(functions)).toBe(false);
  });

  it('a port that is taken is named in one line, and nothing is left running', async () => {
    const taken = createServer();
    const port = await new Promise<number>((resolve) =>
      taken.listen(0, '127.0.0.1', () => {
        const address = taken.address();
        resolve(typeof address === 'object' && address ? address.port : 0);
      }),
    );
    await expect(startEmulator({ stateDir: join(folder, 'taken'), port })).rejects.toThrow(
      `port ${port} on 127.0.0.1 is taken`,
    );
    await expect(assertPortFree(port)).rejects.toThrow(
      /^port \d+ on 127\.0\.0\.1 is taken: choose another with --port$/,
    );
    taken.close();
  });
});
