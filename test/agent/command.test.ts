/** Commands as the agent runs them: nothing of its own environment, no shell, an end in time, and what they said. */
import { afterEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../src/agent/command.ts';
import { makeKey, writeKey } from '../../src/authority/make-csr.ts';

const run = (words: readonly string[], env = {}, timeout_ms = 5_000) => runCommand({ words, env, timeout_ms });
const print = (code: string) => run([process.execPath, '-e', `process.stderr.write(String(${code})); process.exit(3)`]);

describe('a command', () => {
  afterEach(() => {
    delete process.env.EVERLEAF_API_KEY;
  });
  it('has PATH, HOME, LANG and what is told it of the deployment; no token of the agent’s', async () => {
    process.env.EVERLEAF_API_KEY = 'secret';
    const said = await run(['/bin/sh', '-c', 'env | cut -d= -f1 | sort | tr "\\n" " "; exit 1'], {
      EVERLEAF_ENDPOINT: 'web',
    });
    const own = ['_', 'OLDPWD', 'PWD', 'SHLVL'];
    const names = (said ?? '')
      .split(': ')[1]
      ?.split(' ')
      .filter((name) => !own.includes(name));
    expect(names).toEqual(['EVERLEAF_ENDPOINT', 'HOME', 'LANG', 'PATH']);
  });
  it('gets its words as they are', async () => {
    expect(await run(['/bin/echo', '$(id)', '`id`', '; exit 1'])).toBeNull();
    expect(
      await run([process.execPath, '-e', 'process.stdout.write(process.argv[1]); process.exit(1)', '$HOME; *']),
    ).toMatch(/: \$HOME; \*$/);
  });
  it('leads a process group of its own', async () => {
    const said = await print(
      "require('fs').readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')[2] == process.pid",
    );
    expect(said).toMatch(/ended with 3: true$/);
  });
  it('that is not there, or may not be run, is a failure like any other', async () => {
    expect(await run(['everleaf-no-such-program'])).toBe('everleaf-no-such-program cannot be run: ENOENT');
    expect(await run(['/etc/passwd'])).toBe('/etc/passwd cannot be run: EACCES');
  });
  it('that is ended by a signal says which', async () => {
    expect(await run(['/bin/sh', '-c', 'kill -9 $$'])).toBe('/bin/sh was ended by SIGKILL');
  });
  it('may leave something running: it is not waited for', async () => {
    const began = Date.now();
    expect(await run(['/bin/sh', '-c', 'sleep 3 & exit 0'])).toBeNull();
    expect(Date.now() - began).toBeLessThan(2_000);
  });
  it('may say as much as it likes: its last words are kept, on one line', async () => {
    const said = await run(['/bin/sh', '-c', 'yes x | head -c 10000000 >&2; echo the end >&2; exit 3']);
    expect(said?.endsWith('x x the end')).toBe(true);
    expect(said?.length).toBeLessThan(1_000);
  });
  it('that shows a key does not have it told', async () => {
    const key = writeKey(makeKey());
    const secret = key.split('\n')[1] ?? '';
    for (const shown of [key, `${'.'.repeat(3_900)}${key}`, `${key}${'.'.repeat(3_900)}`, key.slice(0, 150)])
      expect(await print(JSON.stringify(shown))).not.toContain(secret.slice(-40));
  });
});
