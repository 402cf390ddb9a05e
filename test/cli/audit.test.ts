/** `audit list`, `verify` and `prove` as typed, against a real TLS server. */
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { draft, headOver, provenIn, rowsOf } from '../audit/rows.ts';
import { type Connected, openConnected } from './connected.ts';

let c: Connected;
beforeEach(async () => {
  c = await openConnected();
});
afterEach(() => {
  vi.restoreAllMocks();
  return c.close();
});

const at = Date.parse('2024-12-25T10:30:00Z');
const urls = () => c.server.asked.map(({ url }) => url);
const base = '/api/v1/identity/audit';
const entry = (sequence: number, values: object = {}) => ({
  sequence,
  time: at,
  appended_at: at,
  action: 'principal_suspended',
  actor: 'admin-bootstrap',
  request_id: 'r',
  subject: 'principals/worker-1',
  details: { changes: [{ table: 'principals', key: 'worker-1', set: { status: 'suspended' }, removed: [] }] },
  event_ids: ['stream:1'],
  previous: 'a'.repeat(64),
  hash: 'b'.repeat(64),
  ...values,
});
const outOfBand = (changes: object[], details: object = {}) =>
  entry(7, { action: 'out_of_band', actor: 'unknown', details: { changes, ...details } });
const change = (values: object) => ({ table: 'principals', key: 'worker-1', set: {}, removed: [], ...values });

describe('audit list', () => {
  it('prints who did what to whom, and what changed where the product did not do it', async () => {
    const edited = change({
      set: { status: 'suspended', suspended_at: at, suspended_reason: 'Compromised credentials detected' },
      before: { status: 'active' },
    });
    c.server.answer = () => ({ body: { entries: [outOfBand([edited]), entry(6)] } });
    expect(await c.everleaf('audit list --since 24h')).toEqual({
      code: 0,
      err: '',
      out: [
        'SEQ  TIME                  ACTION               ACTOR            SUBJECT              CHANGED',
        '7    2024-12-25T10:30:00Z  out_of_band          unknown          principals/worker-1  status: active → suspended, suspended_at: 2024-12-25T10:30:00Z, suspended_reason: Compromised credentials detected',
        '6    2024-12-25T10:30:00Z  principal_suspended  admin-bootstrap  principals/worker-1',
        '',
      ].join('\n'),
    });
    expect(urls()).toEqual([`${base}?since=24h&limit=200`]);
  });

  const changed = async (listed: object): Promise<string | undefined> => {
    c.server.answer = () => ({ body: { entries: [listed] } });
    const { code, out } = await c.everleaf('audit list');
    expect(code).toBe(0);
    const [head = '', row = ''] = out.split('\n');
    return row.slice(head.indexOf('CHANGED')).trim();
  };
  it.each([
    [
      'a removed attribute',
      [change({ removed: ['pem'], before: { pem: { hmac: 'aa' } } })],
      {},
      'pem: (not shown) → removed',
    ],
    ['an attribute that was not there', [change({ set: { owner: { hmac: 'aa' } } })], {}, 'owner: (not shown)'],
    ['a deleted row', [change({ deleted: true })], {}, 'deleted'],
    ['a new row', [change({ created: true, set: { n: 1 } })], {}, 'created, n: 1'],
    ['what was too large to tell', [change({ truncated: true, names: ['a', 'b'] })], {}, 'a: changed, b: changed'],
    [
      'why a stamp is forged',
      [change({ set: { a: [1] } })],
      { why: 'the stamp is malformed' },
      'the stamp is malformed; a: [1]',
    ],
    [
      'why, and nothing of a row in which nothing is to be told',
      [change({}), change({ key: 'worker-2', deleted: true }), change({})],
      { why: 'the stamp is malformed' },
      'the stamp is malformed; worker-2: deleted',
    ],
    ['why alone', [change({})], { why: 'the stamp is malformed' }, 'the stamp is malformed'],
    [
      'several rows',
      [change({ deleted: true }), change({ key: 'worker-2', deleted: true })],
      {},
      'worker-1: deleted; worker-2: deleted',
    ],
  ])('tells %s', async (_what, changes, details, words) => {
    expect(await changed(outOfBand(changes, details))).toBe(words);
  });
  it('tells why somebody was suspended, or certificates were revoked', async () => {
    const suspended = [change({ set: { status: 'suspended', suspended_at: at, suspended_reason: 'Left the\nteam' } })];
    expect(await changed(entry(3, { details: { changes: suspended } }))).toBe('suspended_reason: Left the\ufffdteam');
    const revoked = ['01', '02'].map((key) =>
      change({ key, set: { revoked: true, revocation_reason: 'key_compromise' } }),
    );
    expect(await changed(entry(3, { action: 'certificate_revoked', details: { changes: revoked } }))).toBe(
      'revocation_reason: key_compromise',
    );
    const hidden = [change({ set: { reason: { hmac: 'aa' } } })];
    expect(await changed(entry(3, { details: { changes: hidden } }))).toBe('reason: (not shown)');
  });
  it('tells an attribute by any name', async () => {
    const set = JSON.parse('{"__proto__": "x", "constructor": "y"}');
    const changes = [change({ set, removed: ['toString'], before: {} })];
    expect(await changed(outOfBand(changes))).toBe('__proto__: x, constructor: y, toString: removed');
  });
  it('tells a row that was put among the entries, and a record that could not be read', async () => {
    const forged = { sha256: 'ab'.repeat(32), names: ['chain', 'entry', 'sequence'] };
    expect(await changed(entry(3, { action: 'entry_forged', details: forged }))).toBe(
      'a row with chain, entry, sequence',
    );
    expect(await changed(entry(3, { action: 'record_unreadable', details: { error: 'ZodError' } }))).toBe(
      'cannot be read: ZodError',
    );
  });
  it('tells a call outside the tables, and what is no entry', async () => {
    const call = { event: 'PutParameter', source_ip: '198.51.100.7' };
    expect(await changed(entry(3, { action: 'out_of_band', details: call }))).toBe('PutParameter from 198.51.100.7');
    expect(await changed({ sequence: 3, damaged: 'the entry cannot be read' })).toBe(
      'not an entry: the entry cannot be read',
    );
    expect(await changed(entry(3, { action: 'out_of_band', details: { changes: 'no list' }, time: 1e300 }))).toBe('');
  });

  it('reads every page, and stops at --limit', async () => {
    c.server.answer = ({ url }) => ({
      body: url.includes('next_token') ? { entries: [entry(1)] } : { entries: [entry(3), entry(2)], next_token: 't' },
    });
    const sequences = async (line: string) =>
      JSON.parse((await c.everleaf(`${line} --output json`)).out).entries.map(
        (one: { sequence: number }) => one.sequence,
      );
    expect(await sequences('audit list --since=7d')).toEqual([3, 2, 1]);
    expect(await sequences('audit list --limit 2')).toEqual([3, 2]);
  });
  it('lists the newest fifty when nothing says how many, and says so', async () => {
    c.server.answer = () => ({
      body: { entries: Array.from({ length: 50 }, (_, n) => entry(90 - n)), next_token: 't' },
    });
    const { out, err } = await c.everleaf('audit list');
    expect(out.split('\n')).toHaveLength(52);
    expect(err).toBe('These are the newest 50; --since and --limit show others.\n');
    expect(urls()).toEqual([`${base}?limit=50`]);
    expect((await c.everleaf('audit list --output json')).err).toBe('');
  });
  it('sends every filter as it was typed, and says that nothing fits', async () => {
    c.server.answer = () => ({ body: { entries: [] } });
    const line =
      'audit list --since 2024-12-25T10:30:00+01:00 --action out_of_band --actor alice --subject principals/w --limit 3';
    expect(await c.everleaf(line)).toMatchObject({
      code: 0,
      out: '',
      err: expect.stringMatching(/^No entries of action out_of_band by alice on /),
    });
    expect(Object.fromEntries(new URL(urls()[0] ?? '', c.server.url).searchParams)).toEqual({
      since: '2024-12-25T10:30:00+01:00',
      action: 'out_of_band',
      actor: 'alice',
      subject: 'principals/w',
      limit: '3',
    });
    expect(JSON.parse((await c.everleaf('audit list --output json')).out)).toEqual({ entries: [] });
  });
  it.each(['--since yesterday', '--since 0h', "--action ''", "--actor ''", "--subject ''", '--limit 0', '--limit x'])(
    '%s is refused without asking the server, by its name',
    async (option) => {
      const name = option.split(' ')[0] ?? '';
      const { code, out, err } = await c.everleaf(`audit list ${option}`);
      expect([code, out, err]).toEqual([
        2,
        '',
        expect.stringMatching(new RegExp(`^everleaf: option '${name} .*is invalid`)),
      ]);
      expect(c.server.asked).toEqual([]);
    },
  );
});

describe('audit verify', () => {
  const valid = {
    is_valid: true,
    total_entries: 150,
    first_invalid_sequence: null,
    problems: [],
    remarks: [],
    checked_from: 1,
    head: { size: 150, signed_at: at },
  };
  const broken = {
    ...valid,
    is_valid: false,
    first_invalid_sequence: 57,
    problems: ['entry 57 was altered', 'second'],
  };

  it('says in one sentence that the whole chain is valid, how long it is, and what signed it', async () => {
    c.server.answer = () => ({ body: valid });
    expect(await c.everleaf('audit verify')).toEqual({
      code: 0,
      out: 'The audit chain is valid: all 150 entries were checked; the head of size 150 was signed at 2024-12-25T10:30:00Z.\n',
      err: '',
    });
    expect(urls()).toEqual([`${base}/verify`]);
  });
  it('--since-head says that only what came after was checked', async () => {
    c.server.answer = () => ({ body: { ...valid, checked_from: 141 } });
    expect(await c.everleaf('audit verify --since-head')).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^The audit chain is valid since the last signed head: entries 141 to 150 were checked, those before were not;/,
      ),
    });
    expect(urls()).toEqual([`${base}/verify?since_head=true`]);
  });
  it('--since-head of a chain that has not grown since says that nothing was checked', async () => {
    c.server.answer = () => ({ body: { ...valid, checked_from: 151 } });
    expect((await c.everleaf('audit verify --since-head')).out).toMatch(
      /since the last signed head: no entry came after it, and the 150 before were not checked;/,
    );
  });
  it('of an empty chain says so', async () => {
    c.server.answer = () => ({ body: { ...valid, total_entries: 0, head: null } });
    expect((await c.everleaf('audit verify')).out).toBe('The audit chain is valid: it has no entries yet.\n');
  });
  it('names the first invalid sequence and every problem, and ends with 1', async () => {
    c.server.answer = () => ({ body: broken });
    expect(await c.everleaf('audit verify')).toEqual({
      code: 1,
      out: 'First invalid sequence: 57\nProblem: entry 57 was altered\nProblem: second\n',
      err: 'everleaf: the audit chain is not valid: the first invalid sequence is 57\n',
    });
    c.server.answer = () => ({ body: { ...broken, first_invalid_sequence: null } });
    expect((await c.everleaf('audit verify')).err).toBe(
      'everleaf: the audit chain is not valid: entry 57 was altered\n',
    );
  });
  it('tells what should be known of a valid chain', async () => {
    c.server.answer = () => ({ body: { ...valid, remarks: ['a head is hidden'] } });
    const { code, out } = await c.everleaf('audit verify');
    expect([code, out.split('\n').slice(1)]).toEqual([0, ['Remark: a head is hidden', '']]);
  });
  it('prints the runbook’s fields first as JSON, valid or not', async () => {
    const { is_valid, total_entries, first_invalid_sequence, ...rest } = broken;
    for (const [body, code] of [
      [{ ...rest, first_invalid_sequence, extra: 1, total_entries, is_valid }, 1],
      [{ ...valid, extra: 1 }, 0],
    ] as const) {
      c.server.answer = () => ({ body });
      const result = await c.everleaf('audit verify --output json');
      expect(result.code).toBe(code);
      expect(JSON.parse(result.out)).toEqual(body);
      expect(Object.keys(JSON.parse(result.out)).slice(0, 3)).toEqual([
        'is_valid',
        'total_entries',
        'first_invalid_sequence',
      ]);
    }
  });
  it('goes on asking while it goes on in the background, and shows how far it is', async () => {
    const running = (checked_entries: number) => ({ status: 202, body: { verification_id: 'v 1', checked_entries } });
    const answers = [running(1_000), running(2_000), running(3_000)];
    c.server.answer = () => answers.shift() ?? { body: valid };
    c.session.watched = true;
    const { code, out, err } = await c.everleaf('audit verify');
    expect([code, out]).toEqual([0, expect.stringMatching(/all 150 entries/)]);
    expect(err).toMatch(/^verifying the chain, [12]000 entries checked …/);
    expect(err).toContain('3000 entries checked …');
    expect(err.endsWith('\r\u001b[2K')).toBe(true);
    expect(urls()).toEqual([`${base}/verify`, ...Array(3).fill(`${base}/verify?verification_id=v+1`)]);
  });
  it('that ends in a refusal says why', async () => {
    const answers = [{ status: 202, body: { verification_id: 'v', checked_entries: 0 } }];
    c.server.answer = () => answers.shift() ?? { status: 404, body: { detail: 'there is no such verification' } };
    expect(await c.everleaf('audit verify')).toEqual({
      code: 1,
      out: '',
      err: 'everleaf: there is no such verification\n',
    });
  });
  it.each([
    ['--public-key key.pem', '--public-key'],
    ['--deployment a/b', '--deployment'],
    ['--file x --since-head', '--since-head'],
    ['--file x', '--public-key'],
  ])('%s is refused, naming %s', async (words, named) => {
    const { code, err } = await c.everleaf(`audit verify ${words}`);
    expect([code, err]).toEqual([2, expect.stringMatching(new RegExp(`^everleaf: ${named}`))]);
    expect(c.server.asked).toEqual([]);
  });
});

describe('audit prove', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rows = rowsOf([draft(1), draft(2, { subject: 'principals/\u202e\u009b' }), draft(3)]);
  const proof = async (sequence: number) => {
    const proven = provenIn(rows, sequence);
    const public_key = publicKey.export({ type: 'spki', format: 'pem' });
    const head = await headOver(rows, privateKey);
    return { entry: JSON.parse(proven.bytes), sequence, head, public_key, key_sha256: 'c'.repeat(64), ...proven };
  };

  it('prints the proof as it came, or writes it and says where, also over an earlier proof', async () => {
    const body = await proof(2);
    c.server.answer = () => ({ body });
    const { code, out, err } = await c.everleaf('audit prove 2');
    expect([code, err, JSON.parse(out)]).toEqual([0, '', body]);
    expect(out).not.toMatch(/[\u202e\u009b]/);
    for (const before of [undefined, '', JSON.stringify(await proof(1))]) {
      if (before !== undefined) writeFileSync(c.session.file('proof.json'), before);
      expect(await c.everleaf('audit prove 2 --to ~/proof.json')).toEqual({
        code: 0,
        out: [
          `File: ${c.session.file('proof.json')}`,
          'Entry: 2: principal_created of principals/\ufffd\ufffd by admin-one',
          'Head: 3 entries of airunner/prod, signed at 2024-12-25T10:30:03Z\n',
        ].join('\n'),
        err: '',
      });
      expect(JSON.parse(readFileSync(c.session.file('proof.json'), 'utf8'))).toEqual(body);
    }
    expect(JSON.parse((await c.everleaf('audit prove 2 --to ~/proof.json --output json')).out)).toEqual({
      file: c.session.file('proof.json'),
      sequence: 2,
      head: body.head,
    });
    expect(urls()[0]).toBe(`${base}/2/proof`);
  });
  it('replaces nothing but a proof, whatever --to names, and asks for none before', async () => {
    const body = await proof(2);
    c.server.answer = () => ({ body });
    const { file } = c.session;
    const key = readFileSync(file('admin-key.pem'), 'utf8');
    const exported = `${JSON.stringify({ everleaf: 'audit export 1' })}\n`;
    writeFileSync(file('audit.jsonl'), exported);
    writeFileSync(file('large'), 'x'.repeat(2_100_000));
    writeFileSync(file('earlier'), JSON.stringify(body));
    symlinkSync(file('earlier'), file('link'));
    for (const [to, why] of [
      ['admin-key.pem', 'holds something else; name another file'],
      ['audit.jsonl', 'holds something else; name another file'],
      ['large', 'holds something else; name another file'],
      ['link', 'it is a symbolic link'],
      ['.', 'it is a folder'],
    ] as const) {
      const { code, out, err } = await c.everleaf(`audit prove 2 --to ~/${to}`);
      expect([code, out, err]).toEqual([2, '', expect.stringMatching(`^everleaf: --to: .*${why}\n$`)]);
    }
    vi.spyOn(process, 'getuid').mockReturnValue(-1);
    expect((await c.everleaf('audit prove 2 --to ~/earlier')).err).toMatch(/another user/);
    expect(readFileSync(file('admin-key.pem'), 'utf8')).toBe(key);
    expect(readFileSync(file('audit.jsonl'), 'utf8')).toBe(exported);
    expect(readdirSync(c.session.home).filter((name) => /prev|tmp/.test(name))).toEqual([]);
    expect(c.server.asked).toEqual([]);
  });
  it('hands on no proof that proves nothing, and says why there is none yet', async () => {
    const body = await proof(2);
    for (const wrong of [
      await proof(3),
      { ...body, path: [...body.path].reverse() },
      { ...body, bytes: body.bytes.replace('admin', 'nimda') },
    ]) {
      c.server.answer = () => ({ body: wrong });
      expect(await c.everleaf('audit prove 2')).toMatchObject({
        code: 1,
        out: '',
        err: expect.stringContaining('does not hold for entry 2'),
      });
    }
    c.server.answer = () => ({ status: 409, body: { detail: 'entry 2 is not signed yet' } });
    expect(await c.everleaf('audit prove 2')).toEqual({
      code: 1,
      out: '',
      err: 'everleaf: entry 2 is not signed yet\n',
    });
  });
  it.each(['0', '-1', '1.5', 'x', '2 --to ~/nothing/proof.json'])('%s is used wrongly', async (words) => {
    expect((await c.everleaf(`audit prove ${words}`)).code).toBe(2);
    expect(c.server.asked).toEqual([]);
  });
});

describe('what the entries and the server say', () => {
  const hostile = 'x\u001b]0;owned\u0007\u001b[2K\rForged: line\nForged: line\u009b31m\u202e';
  const moves = /[^\P{Cc}\n]|\p{Bidi_C}/u;
  it.each([
    ['audit list', { entries: [entry(1, { action: hostile, actor: hostile, subject: hostile })] }],
    [
      'audit list',
      {
        entries: [
          outOfBand(
            [
              change({
                key: hostile,
                set: { [hostile]: hostile },
                before: { [hostile]: [hostile] },
                removed: [hostile],
              }),
            ],
            { why: hostile },
          ),
        ],
      },
    ],
    ['audit list', { entries: [{ sequence: 1, damaged: hostile }] }],
    ['audit list', { entries: [entry(1, { action: 'out_of_band', details: { event: hostile, source_ip: hostile } })] }],
    ['audit verify', { is_valid: false, total_entries: 1, first_invalid_sequence: 1, problems: [hostile] }],
  ])('moves no cursor and adds no line: %s', async (line, body) => {
    c.server.answer = () => ({ body });
    for (const output of ['table', 'json']) {
      const { out, err } = await c.everleaf(`${line} --output ${output}`);
      expect(out).not.toBe('');
      expect(out + err).not.toMatch(moves);
      expect(out + err).not.toMatch(/^Forged/m);
    }
  });
});
