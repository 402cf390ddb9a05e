/** The commands as typed, against a real TLS server: what they send, what they print, what they answer to the shell. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeCsr, makeKey, writeKey } from '../../src/authority/make-csr.ts';
import { belongTogether, readKey } from '../../src/cli/pair.ts';
import { type Authority, makeAuthority } from './authority.ts';
import { type Asked, startServer, type TestServer } from './server.ts';
import { openSession, type Session } from './session.ts';

const at = Date.parse('2024-12-25T10:30:00Z');
let serverCa: Authority;
let clientCa: Authority;
let server: TestServer;
let session: Session;
const adminKey = makeKey();

beforeAll(async () => {
  serverCa = await makeAuthority('CN=Server CA');
  clientCa = await makeAuthority('CN=Client CA');
});

beforeEach(async () => {
  server = await startServer(serverCa, clientCa);
  session = openSession();
  writeFileSync(session.file('ca-cert.pem'), serverCa.pem);
  writeFileSync(session.file('admin-cert.pem'), (await clientCa.issue(adminKey, 'CN=admin-bootstrap')).pem);
  writeFileSync(session.file('admin-key.pem'), writeKey(adminKey));
});
afterEach(async () => {
  await server.close();
  session.close();
});

/** The runbook's last lines. */
const connection = () => `\\
  --server=${server.url} \\
  --cacert=~/ca-cert.pem \\
  --client-cert=~/admin-cert.pem \\
  --client-key=~/admin-key.pem`;
const everleaf = (line: string) => session.everleaf(`${line} ${connection()}`);
const suspended = {
  principal_id: 'worker-prod-01',
  type: 'worker',
  status: 'suspended',
  created_at: 1,
  suspended_at: at,
  suspended_reason: 'Compromised credentials detected',
};

describe('principal', () => {
  it('suspend sends the reason, and prints the runbook’s lines', async () => {
    server.answer = () => ({ body: suspended });
    const result = await everleaf('principal suspend worker-prod-01 --reason="Compromised credentials detected"');
    expect(result).toEqual({
      code: 0,
      out: 'Principal: worker-prod-01\nStatus: suspended\nSuspended At: 2024-12-25T10:30:00Z\nSuspended Reason: Compromised credentials detected\n',
      err: '',
    });
    expect(server.asked).toMatchObject([
      {
        method: 'POST',
        url: '/api/v1/principals/worker-prod-01/suspend',
        body: '{"reason":"Compromised credentials detected"}',
        caller: 'admin-bootstrap',
        headers: { 'content-type': 'application/json' },
      },
    ]);
  });

  it('get of an active principal prints two lines, or the answer itself as JSON', async () => {
    const active = { principal_id: 'w', type: 'worker', status: 'active', created_at: 5 };
    server.answer = () => ({ body: active });
    expect(await everleaf('principal get w')).toMatchObject({ code: 0, out: 'Principal: w\nStatus: active\n' });
    expect(JSON.parse((await everleaf('principal get w --output=json')).out)).toEqual(active);
  });

  it('create, activate and suspend by force send what the routes take', async () => {
    server.answer = () => ({ body: suspended });
    await everleaf('principal create w --type worker');
    await everleaf('principal activate w');
    await everleaf('principal suspend w --reason=x --force');
    expect(server.asked.map(({ url, body }) => [url, JSON.parse(body)])).toEqual([
      ['/api/v1/principals', { principal_id: 'w', type: 'worker' }],
      ['/api/v1/principals/w/activate', {}],
      ['/api/v1/principals/w/suspend', { reason: 'x', force: true }],
    ]);
  });

  it('list reads every page, and stops at --limit', async () => {
    server.answer = ({ url }) => {
      const token = new URL(url, server.url).searchParams.get('next_token');
      const row = (principal_id: string) => ({
        principal_id,
        type: null,
        status: 'suspended',
        suspended_reason: 'a\u001b[2J',
      });
      return {
        body: token === null ? { principals: [row('a'), row('b')], next_token: 't' } : { principals: [row('c')] },
      };
    };
    expect((await everleaf('principal list --status=SUSPENDED')).out).toBe(
      'PRINCIPAL  TYPE  STATUS     CREATED  REASON\n' +
        ['a', 'b', 'c'].map((id) => `${id}          ?     suspended           a\ufffd[2J\n`).join(''),
    );
    expect(server.asked.map(({ url }) => url)).toEqual([
      '/api/v1/principals?status=SUSPENDED&limit=200',
      '/api/v1/principals?status=SUSPENDED&limit=200&next_token=t',
    ]);
    expect(JSON.parse((await everleaf('principal list --limit 1 --output json')).out).principals).toHaveLength(1);
  });
});

describe('certificate', () => {
  const block = { serial_number: '01936d3fa2b17c4e8f5d', issued_at: at, expires_at: at + 86_400_000, status: 'active' };

  it('list prints a block for each, an empty line between', async () => {
    server.answer = () => ({ body: { certificates: [block, { ...block, serial_number: '01aa' }] } });
    expect(await everleaf('certificate list worker-prod-01')).toEqual({
      code: 0,
      err: '',
      out: ['01936d3fa2b17c4e8f5d', '01aa']
        .map(
          (serial) =>
            `Serial: ${serial}\nIssued: 2024-12-25T10:30:00Z\nExpires: 2024-12-26T10:30:00Z\nStatus: active\n`,
        )
        .join('\n'),
    });
    expect(server.asked[0]?.url).toBe('/api/v1/certificates?principal_id=worker-prod-01&limit=200');
  });

  it.each([
    ['certificate list w', 'certificates', 'No certificates.\n'],
    ['principal list', 'principals', 'No principals.\n'],
  ])('%s says that there are none, and as JSON is an empty list', async (line, name, err) => {
    server.answer = () => ({ body: { [name]: [] } });
    expect(await everleaf(line)).toEqual({ code: 0, out: '', err });
    const { out, ...rest } = await everleaf(`${line} --output json`);
    expect([rest, JSON.parse(out)]).toEqual([{ code: 0, err: '' }, { [name]: [] }]);
  });

  it('list --expiring-within says whose each is', async () => {
    server.answer = () => ({ body: { certificates: [{ ...block, principal_id: 'w' }] } });
    expect((await everleaf('certificate list --expiring-within=30d')).out).toMatch(/Status: active\nPrincipal: w\n$/);
    expect(server.asked[0]?.url).toBe('/api/v1/certificates?expiring_within=30d&limit=200');
  });

  it('get and revoke take a serial as openssl prints it', async () => {
    server.answer = () => ({
      body: { ...block, status: 'revoked', revoked_at: at, revocation_reason: 'superseded', also_revoked: ['01bb'] },
    });
    await everleaf('certificate get 01:93:6D:3F');
    const { out } = await everleaf('certificate revoke 001936D3F --reason=superseded');
    expect(server.asked.map(({ url }) => url)).toEqual([
      '/api/v1/certificates/01936d3f',
      '/api/v1/certificates/01936d3f/revoke',
    ]);
    expect(out).toMatch(
      /Status: revoked\nRevoked At: 2024-12-25T10:30:00Z\nRevocation Reason: superseded\nAlso Revoked: 01bb\n$/,
    );
  });

  const issue = async ({ body }: Asked) => {
    const issued = await clientCa.certify(JSON.parse(body).csr, 'CN=w');
    return { status: 201, body: { ...issued, chain: clientCa.pem } };
  };

  it('issue makes a key here that its owner alone can read, and writes its certificate', async () => {
    server.answer = issue;
    const result = await everleaf(
      'certificate issue w --key-out ~/w-key.pem --cert-out=~/w-cert.pem --lifetime-days=7',
    );
    expect(result).toMatchObject({ code: 0, err: '' });
    expect(result.out).toMatch(/^Serial: [0-9a-f]+\nExpires: \S+Z\nCertificate: .*w-cert.pem\nKey: .*w-key.pem\n$/);
    expect(statSync(session.file('w-key.pem')).mode & 0o777).toBe(0o600);
    const key = readKey(readFileSync(session.file('w-key.pem'), 'utf8'));
    expect(key && belongTogether(readFileSync(session.file('w-cert.pem'), 'utf8'), key)).toBe(true);
    expect(JSON.parse(server.asked[0]?.body ?? '')).toEqual({
      principal_id: 'w',
      csr: expect.stringContaining('BEGIN CERTIFICATE REQUEST'),
      lifetime_days: 7,
    });
    expect(server.asked[0]?.body).not.toContain('PRIVATE');
  });

  it('issue can be repeated after a refusal with the key that it made, but never overwrites a key', async () => {
    server.answer = () => ({ status: 409, body: { detail: 'w is suspended' } });
    const line = 'certificate issue w --key-out=~/w-key.pem --cert-out=~/w-cert.pem';
    expect(await everleaf(line)).toEqual({ code: 1, out: '', err: 'everleaf: w is suspended\n' });
    const key = readFileSync(session.file('w-key.pem'), 'utf8');
    server.answer = issue;
    expect(await everleaf(line)).toMatchObject({ code: 0, err: expect.stringContaining('using the key in') });
    expect(readFileSync(session.file('w-key.pem'), 'utf8')).toBe(key);
    expect(await everleaf(line)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^everleaf: --key-out: .* exists/),
    });
  });

  it('issue asks for no certificate for a key that others can read', async () => {
    writeFileSync(session.file('w-key.pem'), writeKey(makeKey()), { mode: 0o644 });
    const result = await everleaf('certificate issue w --key-out=~/w-key.pem --cert-out=~/w-cert.pem');
    expect(result).toMatchObject({ code: 2, err: expect.stringMatching(/^everleaf: --key-out: .*chmod 600 /) });
    expect(server.asked).toEqual([]);
  });

  it('issue prints the certificate for a CSR from a file', async () => {
    server.answer = issue;
    const key = makeKey();
    writeFileSync(session.file('w.csr'), await makeCsr(key));
    const { out } = await everleaf('certificate issue w --csr=~/w.csr');
    expect(belongTogether(out, key)).toBe(true);
  });
});

describe('options', () => {
  beforeEach(() => {
    server.answer = () => ({ body: suspended });
  });
  it('may stand before the noun, after the verb, with = or without', async () => {
    const [home, url] = [session.home, server.url];
    const key = `--client-key ${home}/admin-key.pem`;
    const line = `--server ${url} --cacert=~/ca-cert.pem principal --client-cert ~/admin-cert.pem get ${key} w --output json`;
    expect(await session.everleaf(line)).toMatchObject({ code: 0 });
  });
  it('come from the environment, and from the config file, the nearer one winning', async () => {
    const { mkdirSync } = await import('node:fs');
    mkdirSync(session.file('.everleaf'));
    const config = { server: 'https://127.0.0.1:1', cacert: '~/ca-cert.pem', client_cert: '~/admin-cert.pem' };
    writeFileSync(session.file('.everleaf/config.json'), JSON.stringify(config));
    Object.assign(session.env, { EVERLEAF_SERVER: server.url, EVERLEAF_CLIENT_KEY: '~/admin-key.pem' });
    expect(await session.everleaf('principal get w')).toMatchObject({ code: 0 });
    writeFileSync(session.file('.everleaf/config.json'), '{"serer":"x"}');
    expect(await session.everleaf('principal get w')).toMatchObject({ code: 2, err: expect.stringContaining('serer') });
    writeFileSync(session.file('.everleaf/config.json'), '{');
    expect(await session.everleaf('principal get w')).toMatchObject({
      code: 2,
      err: expect.stringContaining('not JSON'),
    });
  });
  it.each([
    ['', 2],
    ['--help', 0],
    ['--version', 0],
    ['principal', 2],
    ['principal get --help', 0],
    ['principal shoot w', 2],
    ['principal get', 2],
    ['principal get w extra', 2],
    ['principal get w --colour', 2],
    ['principal get w --output=xml', 2],
    ['principal create w', 2],
    ['principal create w --type=root', 2],
    ['principal suspend w', 2],
    ['certificate issue w --lifetime-days=1.5', 2],
    ['audit', 2],
    ['audit list extra', 2],
    ['audit prove', 2],
    ['audit verify --help', 0],
    ['audit export --help', 0],
    ['completion tcsh', 2],
    ['bootstrap --domain=x', 2],
  ])('%j ends with %i', async (line, code) => {
    const result = await session.everleaf(line);
    expect(result.code).toBe(code);
    if (code === 2 && line.includes(' ')) expect(result.err).toMatch(/^everleaf: /);
    if (code === 0) expect(result.out).not.toBe('');
  });
  it.each([
    ['principal get W', 'principal-id'],
    ['principal get ..', 'principal-id'],
    ['principal get a/b', 'principal-id'],
    ['certificate get xyz', 'serial-number'],
    ['certificate list', 'principal-id'],
    ['certificate issue w', '--csr'],
    ['certificate issue w --csr a --key-out b', '--csr'],
    ['certificate issue w --csr ~/nothing.csr', '--csr'],
    ['principal get w --cacert=~/nothing.pem', '--cacert'],
    ['principal get w --cacert=~/admin-key.pem', '--cacert'],
    ['principal get w --client-cert=~/admin-key.pem', '--client-cert'],
    ['principal get w --client-key=~/ca-cert.pem', '--client-key'],
    ['principal get w --client-cert=~/ca-cert.pem', '--client-key'],
    ['principal get w --server=http://x', '--server'],
    ['principal get w --server=https://u:p@x', '--server'],
  ])('%j is refused without asking the server, naming %s', async (line, named) => {
    const result = await session.everleaf(`${connection()} ${line}`);
    expect(result).toMatchObject({ code: 2, out: '', err: expect.stringMatching(new RegExp(`^everleaf: ${named}: `)) });
    expect(server.asked).toEqual([]);
  });
  it('that are missing are named', async () => {
    const { code, err } = await session.everleaf(`principal get w --server=${server.url}`);
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/^everleaf: --client-cert is missing: .*EVERLEAF_CLIENT_CERT/),
    ]);
  });
});

describe('what a server says', () => {
  const hostile = 'x\u001b]0;owned\u0007\u001b[2K\rPrincipal: w\nStatus: active\u009b31m\u202e';
  const moves = /[^\P{Cc}\n]|\p{Bidi_C}/u;
  it.each([
    ['principal get w', 200, { principal_id: hostile, status: hostile, suspended_reason: hostile }],
    ['principal list', 200, { principals: [{ principal_id: hostile, status: hostile, type: hostile }] }],
    ['certificate get 01', 200, { serial_number: hostile, status: hostile, principal_id: hostile }],
    ['certificate revoke 01 --reason=superseded', 200, { serial_number: '01', status: 'x', also_revoked: [hostile] }],
    ['certificate renew', 200, { serial_number: hostile, pem: hostile, chain: hostile, expires_at: 1 }],
    ['certificate issue w --csr=~/w.csr', 200, { serial_number: '01', pem: hostile, chain: '', expires_at: 1 }],
    ['principal get w', 401, { message: hostile }],
    ['principal get w', 400, { detail: hostile }],
    ['principal get w', 500, { title: hostile }],
  ])('moves no cursor and adds no line: %s, %i', async (line, status, body) => {
    writeFileSync(session.file('w.csr'), await makeCsr(makeKey()));
    server.answer = () => ({ status, body });
    const { out, err } = await everleaf(line);
    expect(out + err).not.toBe('');
    expect(out + err).not.toMatch(moves);
    expect(out + err).not.toMatch(/^Status: active/m);
    const asJson = await everleaf(`${line} --output=json`);
    expect(asJson.out + asJson.err).not.toMatch(moves);
    if (asJson.code === 0) expect(JSON.parse(asJson.out)).toMatchObject(body);
  });
});

describe('a refusal of the server', () => {
  const refusal = async (status: number, body: unknown) => {
    server.answer = () => ({ status, body });
    const { code, err, out } = await everleaf('principal activate w');
    expect(out).toBe('');
    return [code, err];
  };
  it('prints the problem’s detail; 400 counts as used wrongly', async () => {
    const problem = {
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      detail: 'reason: is required',
      field: 'reason',
    };
    expect(await refusal(400, problem)).toEqual([2, 'everleaf: reason: is required\n']);
    expect(await refusal(403, { ...problem, detail: 'no' })).toEqual([1, 'everleaf: no\n']);
    expect(await refusal(404, { ...problem, detail: 'gone' })).toEqual([1, 'everleaf: gone\n']);
  });
  it('prints the gate’s message', async () => {
    const message = 'principal suspended: "quoted" \\ reason';
    expect(await refusal(401, { message })).toEqual([1, `everleaf: ${message}\n`]);
    expect(await refusal(503, { message: 'authentication unavailable' })).toEqual([
      1,
      'everleaf: authentication unavailable\n',
    ]);
  });
  it('of a certificate, which API Gateway gives no reason for, names what the certificate itself tells', async () => {
    expect(await refusal(403, { message: 'Forbidden' })).toEqual([
      1,
      `everleaf: ${server.url} does not trust the CA of ${session.file('admin-cert.pem')} (issuer CN=Client CA), or refuses it at TLS\n`,
    ]);
    const expired = await clientCa.issue(adminKey, 'CN=admin-bootstrap', { days: -1 });
    writeFileSync(session.file('admin-cert.pem'), expired.pem);
    await server.close();
    server = await startServer(serverCa, clientCa, { lenient: true });
    const on = new Date(expired.expires_at).toISOString().replace('.000Z', 'Z');
    expect(await refusal(403, { message: 'Forbidden' })).toEqual([
      1,
      `everleaf: the client certificate ${session.file('admin-cert.pem')} expired on ${on}; have another one issued\n`,
    ]);
  });
  it('says something even when the server says nothing, or something else', async () => {
    expect(await refusal(502, '<html>')).toEqual([1, 'everleaf: the server refused without a reason (502)\n']);
    expect(await refusal(200, '<html>')).toEqual([1, expect.stringContaining('is it an Everleaf server?')]);
    expect(await refusal(200, { other: 1 })).toEqual([1, expect.stringContaining('is it an Everleaf server?')]);
  });
  it('for now makes a read try again, and a change not', async () => {
    let answers = 0;
    server.answer = () => {
      answers += 1;
      return answers === 1 ? { status: 503, body: { message: 'authentication unavailable' } } : { body: suspended };
    };
    expect((await everleaf('principal get w')).code).toBe(0);
    answers = 0;
    expect((await everleaf('principal activate w')).code).toBe(1);
    expect(answers).toBe(1);
  });
});

describe('a connection that fails says why in one line', () => {
  const fails = async (line: string, said: RegExp) => {
    const { code, err, out } = await session.everleaf(line);
    expect(err).toMatch(said);
    expect([code, out, err.split('\n').length]).toEqual([1, '', 2]);
  };
  it('nobody listens', async () => {
    const url = server.url;
    await server.close();
    await fails(`principal get w ${connection()}`, new RegExp(`^everleaf: cannot reach ${url}: connection refused`));
    server = await startServer(serverCa, clientCa);
  });
  it('there is no such host', async () => {
    await fails(
      `principal get w ${connection().replace(server.url, 'https://nothing.invalid')}`,
      /no host of that name/,
    );
  });
  it('the server’s certificate is from another CA', async () => {
    writeFileSync(session.file('ca-cert.pem'), clientCa.pem);
    await fails(`principal get w ${connection()}`, /not from a CA in .*ca-cert\.pem; .*--cacert/);
  });
  it('the server’s certificate is for another name, or has expired', async () => {
    const line = (other: TestServer) => `principal get w ${connection().replace(server.url, other.url)}`;
    const foreign = await startServer(serverCa, clientCa, { names: ['other.example'] });
    await fails(line(foreign), /for another name/);
    await foreign.close();
    const expired = await startServer(serverCa, clientCa, { days: -1 });
    await fails(line(expired), /has expired/);
    await expired.close();
  });
  it('the server does not accept our certificate', async () => {
    const foreign = await serverCa.issue(adminKey, 'CN=admin-bootstrap');
    writeFileSync(session.file('admin-cert.pem'), foreign.pem);
    await fails(`principal get w ${connection()}`, /certificate .*admin-cert\.pem|is .*admin-cert\.pem expired/);
  });
});

describe('a key sealed with a passphrase', () => {
  beforeEach(() => {
    writeFileSync(session.file('admin-key.pem'), writeKey(adminKey, 'correct horse battery'));
    writeFileSync(session.file('pass'), 'correct horse battery\n');
    server.answer = () => ({ body: suspended });
  });
  it('is opened from a file or by asking, and never without', async () => {
    expect(await everleaf('principal get w --passphrase-file=~/pass')).toMatchObject({ code: 0 });
    session.secrets.push('correct horse battery');
    expect(await everleaf('principal get w')).toMatchObject({ code: 0 });
    session.secrets.push('wrong');
    expect(await everleaf('principal get w')).toMatchObject({
      code: 2,
      err: expect.stringContaining('not the passphrase'),
    });
    expect(await everleaf('principal get w')).toMatchObject({ code: 2, err: expect.stringContaining('no terminal') });
    expect(server.asked).toHaveLength(2);
  });
});

describe('progress', () => {
  it('shows after a second on a watched terminal, and is wiped', async () => {
    server.answer = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      return { body: suspended };
    };
    session.watched = true;
    expect((await everleaf('principal get w')).err).toBe(`asking ${new URL(server.url).host} …\r\u001b[2K`);
    session.watched = false;
    expect((await everleaf('principal get w')).err).toBe('');
  });
});

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('knows every noun and verb in %s', async (shell) => {
    const { code, out } = await session.everleaf(`completion ${shell}`);
    expect(code).toBe(0);
    for (const word of [
      'principal',
      'certificate',
      'bootstrap',
      'audit',
      'suspend',
      'renew',
      'expiring-within',
      'since-head',
    ])
      expect(out).toContain(word);
  });
  it('is a script that bash accepts and that completes', async () => {
    const { execFileSync } = await import('node:child_process');
    const { out } = await session.everleaf('completion bash');
    const complete = (...words: string[]) =>
      execFileSync(
        'bash',
        [
          '-c',
          `${out}\nCOMP_WORDS=(everleaf ${words.join(' ')}); COMP_CWORD=${words.length}; _everleaf; echo "\${COMPREPLY[@]}"`,
        ],
        { encoding: 'utf8' },
      ).trim();
    expect(complete('pri')).toBe('principal');
    expect(complete('principal', 'sus')).toBe('suspend');
    expect(complete('audit', 'verify', '--fi')).toBe('--file');
    expect(complete('--output', 'json', 'principal', 'suspend', 'w', '--rea')).toBe('--reason');
  });
});
