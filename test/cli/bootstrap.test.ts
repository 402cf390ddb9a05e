/** Bootstrap from a deployed stack to files: first run, later runs, runs that stop anywhere. AWS is played by its answers. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeKey, writeKey } from '../../src/authority/make-csr.ts';
import type { DeployedStack, Operator } from '../../src/aws/operator.ts';
import { belongTogether, readKey } from '../../src/cli/pair.ts';
import { readCertificates } from '../../src/cli/trust-bundle.ts';
import { type Authority, makeAuthority } from './authority.ts';
import { openSession, type Session } from './session.ts';

let aws: Operator;
vi.mock('../../src/aws/operator.ts', () => ({ openOperator: () => aws }));

let ca: Authority;
let publicCa: Authority;
let served: string;
let session: Session;
/** What was asked of AWS that changes something, in order. */
let changes: string[];
/** Fails the n-th change, after it was done. */
let failAt: number;
let principals: Set<string>;
let stacks: DeployedStack[];
const parameters = new Map<string, string>();

const stack = (name: string, environment = 'prod', called = `${name}-${environment}`): DeployedStack => ({
  name: called,
  outputs: {
    Name: name,
    Environment: environment,
    Domain: 'airunner.example.com',
    DomainCertificateArn: 'arn:aws:acm:ap-southeast-2:1:certificate/a',
    TruststoreBucket: 'b',
  },
});

beforeAll(async () => {
  ca = await makeAuthority('CN=airunner prod CA');
  publicCa = await makeAuthority('CN=Public CA');
  const intermediate = await publicCa.delegate('CN=Public Issuer');
  served = (await intermediate.issue(makeKey(), 'CN=airunner.example.com')).pem + intermediate.pem + publicCa.pem;
});

beforeEach(() => {
  session = openSession();
  changes = [];
  failAt = 0;
  principals = new Set();
  stacks = [{ name: 'any', outputs: {} }, stack('other', 'dev'), stack('airunner')];
  parameters.clear();
  parameters.set('ca-cert', ca.pem);
  const change = (what: string) => {
    changes.push(what);
    if (changes.length === failAt) throw Object.assign(new Error('the network is gone'), { code: 'ECONNRESET' });
  };
  aws = {
    listStacks: async () => stacks,
    readParameter: async (_deployment, name) => parameters.get(name) ?? null,
    readDomainCertificate: async () => served,
    hasPrincipal: async (_deployment, id) => principals.has(id),
    invoke: async (deployment, name, payload, result) => {
      expect(deployment).toMatchObject({ name: 'airunner', environment: 'prod' });
      if (name === 'renew-server-certificate') {
        const key = makeKey();
        const issued = await ca.issue(key, 'CN=airunner.example.com');
        parameters.set('server-key', `${writeKey(key)}${issued.pem}`);
        change(`${name} ${JSON.stringify(payload)}`);
        return result.parse(issued);
      }
      const { principal_id, csr } = payload as { principal_id: string; csr: string };
      const issued = await ca.certify(csr, `CN=${principal_id}`);
      principals.add(principal_id);
      change(`${name} ${principal_id}`);
      return result.parse({ ...issued, chain: ca.pem });
    },
  };
});
afterEach(() => session.close());

const line = 'bootstrap --environment=prod --domain=airunner.example.com --aws-region=ap-southeast-2';
const passphrase = 'correct horse battery';
const read = (name: string, folder = '.airunner') => readFileSync(session.file(`${folder}/${name}`), 'utf8');
const pair = (name: string, folder = '.airunner', secret?: string) => {
  const key = readKey(read(`${name}-key.pem`, folder), secret);
  return key !== null && belongTogether(read(`${name}-cert.pem`, folder), key);
};
const firstRun = () => {
  session.secrets.push(passphrase, passphrase);
  return session.everleaf(line);
};
const everything = [
  'admin-cert.pem',
  'admin-emergency-cert.pem',
  'admin-emergency-key.pem',
  'admin-key.pem',
  'ca-cert.pem',
  'server-cert.pem',
  'server-key.pem',
];

describe('the first run', () => {
  it('writes matching pairs for both admins and the server, keys for their owner alone', async () => {
    expect(await firstRun()).toMatchObject({ code: 0, err: '' });
    expect(readdirSync(session.file('.airunner')).sort()).toEqual(everything);
    expect(statSync(session.file('.airunner')).mode & 0o777).toBe(0o700);
    for (const name of everything.filter((one) => one.endsWith('key.pem')))
      expect(statSync(session.file(`.airunner/${name}`)).mode & 0o777).toBe(0o600);
    expect([pair('admin'), pair('server'), pair('admin-emergency', undefined, passphrase)]).toEqual([true, true, true]);
    expect(changes).toEqual([
      'issue-admin-certificate admin-bootstrap',
      'issue-admin-certificate admin-emergency',
      'renew-server-certificate {"domain":"airunner.example.com"}',
    ]);
  });
  it('seals the emergency key as PKCS#8, and tells nobody the passphrase', async () => {
    const { out } = await firstRun();
    expect(read('admin-emergency-key.pem')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    expect(readKey(read('admin-emergency-key.pem'), 'another passphrase')).toBeNull();
    expect(out).not.toContain(passphrase);
  });
  it('writes a bundle that verifies our CA’s certificates and the domain’s', async () => {
    await firstRun();
    const subjects = readCertificates(read('ca-cert.pem')).map(({ subject }) => subject);
    expect(subjects).toEqual(['CN=airunner prod CA', 'CN=Public CA']);
  });
  it('takes the passphrase from a file, named by option or environment', async () => {
    writeFileSync(session.file('pass'), `${passphrase}\n`);
    expect(await session.everleaf(`${line} --passphrase-file=~/pass`)).toMatchObject({ code: 0 });
    expect(pair('admin-emergency', undefined, passphrase)).toBe(true);
    principals.clear();
    session.env.EVERLEAF_PASSPHRASE_FILE = '~/pass';
    const { code, out } = await session.everleaf(`${line} --output-dir=~/again --output=json`);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ name: 'airunner', output_dir: session.file('again') });
  });
  it('asks again for a passphrase that is too short', async () => {
    session.secrets.splice(0, Infinity, 'short', 'short', passphrase, passphrase);
    expect(await session.everleaf(line)).toMatchObject({
      code: 0,
      err: expect.not.stringContaining('passphrase-file'),
    });
    expect(pair('admin-emergency', undefined, passphrase)).toBe(true);
  });
  it('does not ask again in place of a file', async () => {
    writeFileSync(session.file('pass'), 'short\n');
    const said = /^everleaf: --passphrase-file: .*at least 16 characters/;
    expect(await session.everleaf(`${line} --passphrase-file=~/pass`)).toMatchObject({
      code: 2,
      err: expect.stringMatching(said),
    });
  });
  it.each([
    ['too short three times', ['short', 'short', 'short'], /^everleaf: the passphrase must .* 16 characters; nothing/m],
    ['typed differently', [passphrase, `${passphrase}x`], /differ/],
    ['nobody there to ask', [], /^everleaf: --passphrase-file: /],
  ])('changes nothing when the passphrase is %s', async (_, secrets, said) => {
    session.secrets.push(...secrets);
    expect(await session.everleaf(line)).toMatchObject({ code: 2, err: expect.stringMatching(said) });
    expect(changes).toEqual([]);
    expect(existsSync(session.file('.airunner'))).toBe(false);
  });
});

describe('a later run', () => {
  beforeEach(() => {
    principals.add('admin-bootstrap').add('admin-emergency');
  });
  it('renews the server’s certificate only, here in a folder of its own', async () => {
    const { code } = await session.everleaf(`${line} --output-dir=~/new-server-certs`);
    expect(code).toBe(0);
    expect(changes).toEqual(['renew-server-certificate {"domain":"airunner.example.com"}']);
    expect(readdirSync(session.file('new-server-certs')).sort()).toEqual(everything.slice(4));
    expect(pair('server', 'new-server-certs')).toBe(true);
  });
  it('keeps what it replaces as .prev, and the admins’ files as they are', async () => {
    principals.clear();
    await firstRun();
    const before = Object.fromEntries(everything.map((name) => [name, read(name)]));
    expect(await session.everleaf(line)).toMatchObject({ code: 0 });
    expect(read('server-cert.pem.prev')).toBe(before['server-cert.pem']);
    expect(read('server-key.pem.prev')).toBe(before['server-key.pem']);
    expect(read('server-cert.pem')).not.toBe(before['server-cert.pem']);
    for (const name of everything.slice(0, 5)) expect(read(name)).toBe(before[name]);
  });
  it('with --admin makes new keys and certificates for both, the old ones as .prev', async () => {
    principals.clear();
    await firstRun();
    const before = Object.fromEntries(everything.map((name) => [name, read(name)]));
    session.secrets.push('another passphrase', 'another passphrase');
    expect(await session.everleaf(`${line} --admin`)).toMatchObject({ code: 0 });
    expect([pair('admin'), pair('admin-emergency', undefined, 'another passphrase')]).toEqual([true, true]);
    for (const name of everything.slice(0, 4)) {
      expect(read(name)).not.toBe(before[name]);
      expect(read(`${name}.prev`)).toBe(before[name]);
    }
  });
});

describe('a run that stops', () => {
  it.each([
    ['admin', '--admin', undefined],
    ['admin-emergency', '--admin', passphrase],
    ['server', '', undefined],
  ])(
    'between the two renames of %s is finished by the next run, before its pair becomes .prev',
    async (name, option, secret) => {
      await firstRun();
      // key.next was renamed over the key, cert.next not yet over the certificate.
      const made = makeKey();
      const wanted = readCertificates(read(`${name}-cert.pem`))[0]?.subject ?? '';
      const received = (await ca.issue(made, wanted)).pem;
      const file = (what: string) => session.file(`.airunner/${name}-${what}`);
      writeFileSync(file('key.pem'), writeKey(made, secret));
      writeFileSync(file('cert.pem.next'), received);
      session.secrets.push(passphrase, passphrase);
      expect(await session.everleaf(`${line} ${option}`)).toMatchObject({ code: 0 });
      expect(pair(name, undefined, secret)).toBe(true);
      expect(read(`${name}-cert.pem.prev`)).toBe(received);
      const previous = readKey(read(`${name}-key.pem.prev`), secret);
      expect(previous && belongTogether(received, previous)).toBe(true);
    },
  );
  it('there, with a passphrase that the next run does not have, loses nothing', async () => {
    await firstRun();
    writeFileSync(session.file('.airunner/admin-emergency-cert.pem.next'), read('admin-emergency-cert.pem'));
    session.secrets.push('another passphrase', 'another passphrase');
    const { code, err } = await session.everleaf(`${line} --admin`);
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/--passphrase-file: .*emergency-key.pem .*another passphrase/),
    ]);
    expect(pair('admin-emergency', undefined, passphrase)).toBe(true);
  });
  it.each([1, 2, 3])('after change %i can be repeated, with the keys that it made', async (at) => {
    failAt = at;
    expect(await firstRun()).toMatchObject({ code: 1 });
    const key = read('admin-key.pem');
    failAt = 0;
    session.secrets.push(passphrase, passphrase);
    expect(await session.everleaf(line)).toMatchObject({ code: 0 });
    expect(read('admin-key.pem')).toBe(key);
    expect([pair('admin'), pair('server'), pair('admin-emergency', undefined, passphrase)]).toEqual([true, true, true]);
  });
  it('after it sealed a key says so when the repetition has another passphrase', async () => {
    failAt = 2;
    await firstRun();
    failAt = 0;
    session.secrets.push('another passphrase', 'another passphrase');
    expect(await session.everleaf(line)).toMatchObject({ code: 2, err: expect.stringMatching(/another passphrase/) });
  });
});

describe('a folder in which others may have put files', () => {
  const planted = writeKey(makeKey());
  const plant = (folderMode: number, keyMode: number) => {
    mkdirSync(session.file('shared'));
    chmodSync(session.file('shared'), folderMode);
    writeFileSync(session.file('shared/admin-key.pem'), planted);
    chmodSync(session.file('shared/admin-key.pem'), keyMode);
    session.secrets.push(passphrase, passphrase);
    return session.everleaf(`${line} --output-dir=~/shared`);
  };
  it.each([
    ['is writable by all', 0o777, 0o600, /^everleaf: --output-dir: .*chmod go-w \S+\/shared,/],
    ['holds a key that others can read', 0o755, 0o644, /^everleaf: --output-dir: .*chmod 600 \S+\/admin-key.pem,/],
    ['is like /tmp and holds such a key', 0o1777, 0o644, /^everleaf: --output-dir: .*chmod 600 /],
  ])('gets no certificate where it %s', async (_, folderMode, keyMode, said) => {
    expect(await plant(folderMode, keyMode)).toMatchObject({ code: 2, err: expect.stringMatching(said) });
    expect(changes).toEqual([]);
    expect(existsSync(session.file('shared/admin-cert.pem'))).toBe(false);
  });
  it('uses a key that an earlier run left there, and says so', async () => {
    const { code, err } = await plant(0o700, 0o600);
    expect([code, err]).toEqual([0, expect.stringMatching(/^using the key in \S+\/admin-key.pem, /)]);
  });
});

describe('the deployment', () => {
  beforeEach(() => {
    principals.add('admin-bootstrap').add('admin-emergency');
  });
  it('is the one that says this environment and domain; --name and EVERLEAF_NAME decide between several', async () => {
    stacks.push(stack('second'));
    expect(await session.everleaf(line)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^everleaf: --name: .*second/),
    });
    expect(await session.everleaf(`${line} --name=airunner`)).toMatchObject({ code: 0 });
    session.env.EVERLEAF_NAME = 'airunner';
    expect(await session.everleaf(line)).toMatchObject({ code: 0 });
  });
  it('that is not there, or not yet complete, is said so', async () => {
    expect(await session.everleaf(line.replace('=prod', '=test'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('no stack'),
    });
    parameters.delete('ca-cert');
    expect(await session.everleaf(line)).toMatchObject({ code: 1, err: expect.stringContaining('no authority yet') });
    expect(changes).toEqual([]);
  });
  it.each([
    ['whose name is no word of ours', stack('x/../../escaped')],
    ['called otherwise than it says', stack('airunner', 'prod', 'somebodys-stack')],
  ])('is no stack %s', async (_, planted) => {
    stacks = [planted];
    expect(await session.everleaf(line)).toMatchObject({ code: 1, err: expect.stringContaining('no stack') });
    expect(readdirSync(session.home)).toEqual([]);
    stacks.push(stack('airunner'));
    expect(await session.everleaf(line)).toMatchObject({ code: 0 });
  });
  it('is not looked for under a word that can be no name', async () => {
    expect(await session.everleaf(line.replace('=prod', '=PROD'))).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^everleaf: --environment: /),
    });
  });
  it('offers no new CA', async () => {
    expect(await session.everleaf(`${line} --force-new-ca`)).toMatchObject({ code: 2 });
  });
});
