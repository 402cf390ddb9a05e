/** `audit export`: what stands in the file, and that a command repeated after any cut completes it. */
import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SignedHead } from '../../src/audit/head.ts';
import { draft, headOver, provenIn, rowsOf } from '../audit/rows.ts';
import { type Connected, openConnected } from './connected.ts';
import type { Asked, Reply } from './server.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const public_key = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const rows = rowsOf(
  Array.from({ length: 11 }, (_, n) => draft(n + 1, { details: { reason: 'ü\u2028\u202e\u009b"\\' } })),
);
const pageSize = 3;

let c: Connected;
let head: SignedHead;
beforeEach(async () => {
  c = await openConnected();
  head = await headOver(rows, privateKey);
  writeFileSync(c.session.file('key.pem'), public_key);
  c.server.answer = serve;
});
afterEach(async () => {
  vi.restoreAllMocks();
  await c.close();
});

const number = ({ url }: Asked, name: string): number | null => {
  const value = new URL(url, c.server.url).searchParams.get(name);
  return value === null ? null : Number(value);
};
/** As the route does, with small pages. */
const serve = (asked: Asked): Reply => {
  const from = number(asked, 'from_sequence') ?? 1;
  if ((number(asked, 'head_size') ?? head.size) !== head.size)
    return { status: 400, body: { detail: 'head_size: no' } };
  const lines = rows.slice(from - 1, from - 1 + pageSize).map(({ sequence }) => provenIn(rows, sequence));
  const next_sequence = from + pageSize;
  return { body: { head, public_key, lines, ...(next_sequence > head.size ? {} : { next_sequence }) } };
};
const run = (words = '') => c.everleaf(`audit export --to ~/audit.jsonl ${words}`);
const file = () => c.session.file('audit.jsonl');
const content = () => readFileSync(file(), 'utf8');
const isValid = async () =>
  (await c.session.everleaf('audit verify --file ~/audit.jsonl --public-key ~/key.pem')).code === 0;

describe('to a file', () => {
  it('writes the head, then each entry with its proof, for its owner to read', async () => {
    expect(await run()).toEqual({
      code: 0,
      err: '',
      out: `File: ${file()}\nEntries: 1 to 11\nHead: 11 entries of airunner/prod, signed at 2024-12-25T10:30:11Z\n`,
    });
    const [first, ...lines] = content().trimEnd().split('\n');
    expect(JSON.parse(first ?? '')).toEqual({ everleaf: 'audit export 1', from_sequence: 1, head, public_key });
    expect(lines.map((line) => JSON.parse(line))).toEqual(rows.map(({ sequence }) => provenIn(rows, sequence)));
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(await isValid()).toBe(true);
    expect(c.server.asked.map((asked) => [number(asked, 'from_sequence'), number(asked, 'head_size')])).toEqual([
      [1, null],
      [4, 11],
      [7, 11],
      [10, 11],
    ]);
  });
  it('begins with the entry that --from-sequence names', async () => {
    expect(JSON.parse((await run('--from-sequence 7 --output json')).out)).toEqual({
      file: file(),
      from_sequence: 7,
      head,
    });
    expect(content().trimEnd().split('\n')).toHaveLength(1 + 5);
    expect(await isValid()).toBe(true);
  });

  it('completes a file that was cut, wherever it was cut, as if it never had been', async () => {
    await run();
    const whole = readFileSync(file());
    for (let length = 0; length < whole.length; length += length < 40 ? 1 : 211) {
      writeFileSync(file(), whole.subarray(0, length));
      expect(await run(), `${length}`).toMatchObject({ code: 0 });
      expect(readFileSync(file()).equals(whole), `${length}`).toBe(true);
    }
  });
  it('asks only for what is missing, by the head that the file has', async () => {
    await run();
    const lines = content().split('\n');
    writeFileSync(file(), `${lines.slice(0, 9).join('\n')}\n{"byt`);
    c.server.asked.length = 0;
    expect((await run()).err).toBe(`going on with ${file()} from entry 9\n`);
    expect(c.server.asked.map((asked) => [number(asked, 'from_sequence'), number(asked, 'head_size')])).toEqual([
      [9, 11],
    ]);
  });
  it('goes on after the server or the network failed', async () => {
    let left = 2;
    c.server.answer = (asked) => (left-- > 0 ? serve(asked) : { status: 500, body: { detail: 'broken' } });
    expect(await run()).toEqual({ code: 1, out: '', err: 'everleaf: broken\n' });
    c.server.answer = serve;
    expect(await run()).toMatchObject({ code: 0 });
    expect(await isValid()).toBe(true);
  });
  it('leaves a file alone that is whole', async () => {
    await run();
    const before = content();
    c.server.asked.length = 0;
    expect(await run()).toMatchObject({ code: 0, err: expect.stringContaining('is whole; name another file') });
    expect([content(), c.server.asked]).toEqual([before, []]);
  });

  it('does not go on with lines that are not as they were exported', async () => {
    await run();
    const lines = content().split('\n').slice(0, 8);
    const edits = [
      lines.with(3, (lines[3] ?? '').replace('admin-one', 'admin-two')),
      lines.toSpliced(3, 1),
      lines.with(3, lines[4] ?? '').with(4, lines[3] ?? ''),
    ];
    for (const edited of edits) {
      writeFileSync(file(), `${edited.join('\n')}\n`);
      const before = content();
      expect(await run()).toMatchObject({ code: 1, err: expect.stringContaining('is not as it was exported (ent') });
      expect(content()).toBe(before);
    }
  });
  it('does not go on when the server proves by another head now', async () => {
    await run();
    writeFileSync(file(), `${content().split('\n').slice(0, 4).join('\n')}\n`);
    head = await headOver(rows, privateKey, { root: 'a'.repeat(64) });
    expect(await run()).toMatchObject({ code: 1, err: expect.stringContaining('by another head of size 11') });
  });
  it.each(['notes\n', 'notes', '\n', '{"everleaf":"audit export 2"}\n', '{"everleaf":"audit exports'])(
    'never touches a file that holds something else: %j',
    async (text) => {
      writeFileSync(file(), text);
      expect(await run()).toMatchObject({
        code: 2,
        err: expect.stringMatching(/^everleaf: --to: .* holds something else/),
      });
      expect(content()).toBe(text);
    },
  );
  it.each([
    ['a folder', '~/folder'],
    ['a place that is not there', '~/nothing/audit.jsonl'],
    ['a symbolic link', '~/link'],
  ])('%s is refused by name', async (_what, to) => {
    mkdirSync(c.session.file('folder'));
    writeFileSync(c.session.file('victim'), '');
    symlinkSync(c.session.file('victim'), c.session.file('link'));
    expect(await c.everleaf(`audit export --to ${to}`)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^everleaf: --to: /),
    });
    expect(readFileSync(c.session.file('victim'), 'utf8')).toBe('');
  });
  it('of another user is refused', async () => {
    writeFileSync(file(), '');
    chmodSync(file(), 0o666);
    vi.spyOn(process, 'getuid').mockReturnValue(statSync(file()).uid + 1);
    expect(await run()).toMatchObject({ code: 2, err: expect.stringMatching(/^everleaf: --to: .*another user/) });
    expect(content()).toBe('');
  });
  it('is not made when no server is named', async () => {
    expect(await c.session.everleaf('audit export --to ~/audit.jsonl')).toMatchObject({ code: 2 });
    expect(existsSync(file())).toBe(false);
  });
  it('does not begin elsewhere than the file does', async () => {
    await run('--from-sequence 3');
    writeFileSync(file(), `${content().split('\n').slice(0, 4).join('\n')}\n`);
    expect(await run('--from-sequence 2')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^everleaf: --from-sequence: /),
    });
    expect(await run()).toMatchObject({ code: 0 });
    expect(await isValid()).toBe(true);
  });
});

describe('to a file, when something comes between', () => {
  const lock = () => `${file()}.lock`;
  /** Ends once the server was asked for a page that it does not answer before it is told to. */
  const halfway = () => {
    let go = () => {};
    const answered = new Promise<void>((resolve) => {
      go = resolve;
    });
    const reached = new Promise<void>((resolve) => {
      c.server.answer = async (asked) => {
        if (number(asked, 'from_sequence') === 7) {
          resolve();
          await answered;
        }
        return serve(asked);
      };
    });
    return { reached, go };
  };

  it('lets no other export write it at the same time', async () => {
    const { reached, go } = halfway();
    const first = run();
    await reached;
    c.server.answer = serve;
    expect(await run()).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(
        new RegExp(`^everleaf: another command writes .*\\(process ${process.pid} on .*\\); wait`),
      ),
    });
    go();
    expect((await first).code).toBe(0);
    expect(await isValid()).toBe(true);
    expect(existsSync(lock())).toBe(false);
  });
  it('takes over from one that was killed, and from nobody else', async () => {
    const { pid = 0 } = spawnSync('true');
    const began = readFileSync(`/proc/${process.pid}/stat`, 'utf8').split(' ')[21];
    const host = hostname();
    for (const dead of [
      { pid, began: '1', host },
      { pid: process.pid, began: '1', host },
    ]) {
      writeFileSync(lock(), JSON.stringify(dead));
      expect(await run()).toMatchObject({ code: 0 });
      expect(existsSync(lock())).toBe(false);
    }
    for (const held of [
      JSON.stringify({ pid: process.pid, began, host }),
      JSON.stringify({ pid, began: '1', host: 'elsewhere' }),
      '',
    ]) {
      writeFileSync(lock(), held);
      expect(await run()).toMatchObject({ code: 1, err: expect.stringContaining(`or remove ${lock()} if none does`) });
      expect(readFileSync(lock(), 'utf8')).toBe(held);
    }
  });
  it('adds nothing behind what something else wrote', async () => {
    const { reached, go } = halfway();
    const first = run();
    await reached;
    appendFileSync(file(), 'notes\n');
    const before = content();
    go();
    expect(await first).toMatchObject({ code: 1, err: expect.stringContaining('something else writes') });
    expect(content()).toBe(before);
  });
  it.each([
    ['refuses', { status: 403, body: { detail: 'not for you' } }],
    ['answers nonsense', { body: { head: 1 } }],
  ])('leaves nothing behind where the server %s', async (_what, reply) => {
    c.server.answer = () => reply;
    expect((await run()).code).toBe(1);
    expect([existsSync(file()), existsSync(lock())]).toEqual([false, false]);
    writeFileSync(file(), '');
    expect((await run()).code).toBe(1);
    expect(existsSync(file())).toBe(true);
  });
  it('stopped by Ctrl-C says how to go on, and does', async () => {
    const { reached, go } = halfway();
    const { home, file: inHome } = c.session;
    const options = `--server=${c.server.url} --cacert=${inHome('ca-cert.pem')} --client-cert=${inHome('admin-cert.pem')} --client-key=${inHome('admin-key.pem')}`;
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', 'bin/everleaf.ts', 'audit', 'export', '--to', file(), ...options.split(' ')],
      { env: { PATH: process.env.PATH, HOME: home }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let err = '';
    child.stderr.on('data', (text) => {
      err += text;
    });
    const ended = once(child, 'close');
    await reached;
    child.kill('SIGINT');
    expect((await ended)[0]).toBe(130);
    expect(err).toBe(`everleaf: stopped; repeat the command to go on with ${file()}\n`);
    expect(existsSync(lock())).toBe(false);
    go();
    expect((await run()).err).toBe(`going on with ${file()} from entry 7\n`);
    expect(await isValid()).toBe(true);
  });
});

describe('of a chain that is broken', () => {
  it('writes all that there is, says what is wrong with it, and ends with 1', async () => {
    c.server.answer = (asked) => {
      const reply = serve(asked);
      const body = JSON.parse(JSON.stringify(reply.body));
      body.lines = body.lines
        .filter(({ bytes }: { bytes: string }) => JSON.parse(bytes).sequence !== 5)
        .map((line: { bytes: string }) => ({ ...line, bytes: line.bytes.replace('worker-8', 'worker-9') }));
      return { body };
    };
    const { code, out, err } = await run();
    expect([code, out]).toEqual([1, expect.stringContaining('Entries: 1 to 11')]);
    expect(err).toBe(
      'everleaf: exported, but the chain is not as it was signed: entry 5 is missing; entry 8: it is not what was signed as entry 8; 9 entries are proven; run everleaf audit verify\n',
    );
    expect(content().trimEnd().split('\n')).toHaveLength(1 + 10);
    expect(await isValid()).toBe(false);
  });
  it('whose newest entries are gone is not taken for whole', async () => {
    c.server.answer = (asked) =>
      number(asked, 'from_sequence') === 10 ? { body: { head, public_key, lines: [] } } : serve(asked);
    expect(await run()).toMatchObject({ code: 1, err: expect.stringContaining('entries 10 to 11 are missing') });
  });
  it('does not ask for ever', async () => {
    c.server.answer = () => ({ body: { head, public_key, lines: [], next_sequence: 1 } });
    expect(await run()).toMatchObject({ code: 1, err: expect.stringContaining('does not go on') });
  });
});

describe('to standard output', () => {
  it.each(['audit export', 'audit export --to -'])('%s prints the same lines and nothing else', async (line) => {
    await run();
    const { code, out, err } = await c.everleaf(line);
    expect({ code, out, err }).toEqual({ code: 0, out: content(), err: '' });
    expect(out).not.toMatch(/[\u202e\u009b\u2028]/);
  });
});

describe('on a terminal', () => {
  it('shows how far it is, and wipes it', async () => {
    c.session.watched = true;
    c.server.answer = async (asked) => {
      await new Promise((resolve) => setTimeout(resolve, 600));
      return serve(asked);
    };
    const { err } = await run();
    expect(err).toMatch(/^exporting, entry 3 of 11 …/);
    expect(err.endsWith('\r\u001b[2K')).toBe(true);
  });
});
