/** Renewing in place: whatever happens in the middle, a matching pair is there or is put back by the next command. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeKey, writeKey } from '../../src/authority/make-csr.ts';
import { belongTogether, readKey } from '../../src/cli/pair.ts';
import { type Authority, makeAuthority } from './authority.ts';
import { type Asked, startServer, type TestServer } from './server.ts';
import { openSession, type Session } from './session.ts';

/** Files take effect by renames; the n-th one crashes, before or after it was done. */
const crash = vi.hoisted(() => ({ at: 0, after: false, renames: 0 }));
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  return {
    ...fs,
    renameSync: (from: string, to: string) => {
      crash.renames += 1;
      const now = crash.renames === crash.at;
      if (!now || crash.after) fs.renameSync(from, to);
      if (now) throw new Error('power cut');
    },
  };
});

let ca: Authority;
let server: TestServer;
let session: Session;
let oldCert: string;
let oldKey: string;

beforeAll(async () => {
  ca = await makeAuthority('CN=CA');
});
beforeEach(async () => {
  Object.assign(crash, { at: 0, after: false, renames: 0 });
  server = await startServer(ca, ca);
  server.answer = async ({ url, body }: Asked) => {
    if (!url.endsWith('/renew')) return { body: { principal_id: 'w', status: 'active' } };
    return { body: { ...(await ca.certify(JSON.parse(body).csr, 'CN=w', { days: 20 })), chain: ca.pem } };
  };
  session = openSession();
  const key = makeKey();
  oldKey = writeKey(key);
  oldCert = (await ca.issue(key, 'CN=w', { days: 10 })).pem;
  writeFileSync(session.file('ca.pem'), ca.pem);
  writeFileSync(session.file('cert.pem'), oldCert);
  writeFileSync(session.file('key.pem'), oldKey);
});
afterEach(async () => {
  await server.close();
  session.close();
});

const read = (name: string) => readFileSync(session.file(name), 'utf8');
const connection = () => `--server=${server.url} --cacert=~/ca.pem --client-cert=~/cert.pem --client-key=~/key.pem`;
const everleaf = (line: string) => session.everleaf(`${line} ${connection()}`);
const matching = (suffix = '') => {
  const key = readKey(read(`key.pem${suffix}`));
  return key !== null && belongTogether(read(`cert.pem${suffix}`), key);
};
const renewals = () => server.asked.filter(({ url }) => url.endsWith('/renew'));

describe('certificate renew', () => {
  it('writes the new certificate over the old one and keeps that as .prev', async () => {
    expect(await everleaf('certificate renew')).toMatchObject({ code: 0, out: expect.stringMatching(/^Serial: /) });
    expect(read('key.pem')).toBe(oldKey);
    expect(read('cert.pem')).not.toBe(oldCert);
    expect(matching()).toBe(true);
    expect(read('cert.pem.prev')).toBe(oldCert);
    expect(matching('.prev')).toBe(true);
    expect(await everleaf('principal get w')).toMatchObject({ code: 0 });
  });
  it('with --new-key replaces the key too, readable by its owner alone', async () => {
    expect(await everleaf('certificate renew --new-key --force')).toMatchObject({ code: 0 });
    expect(JSON.parse(renewals()[0]?.body ?? '')).toMatchObject({ force: true });
    expect(read('key.pem')).not.toBe(oldKey);
    expect([matching(), matching('.prev')]).toEqual([true, true]);
    expect([read('cert.pem.prev'), read('key.pem.prev')]).toEqual([oldCert, oldKey]);
    for (const name of ['key.pem', 'key.pem.prev']) expect(statSync(session.file(name)).mode & 0o777).toBe(0o600);
  });
  it('leaves everything in its place when it is refused, or answered with another key’s certificate', async () => {
    server.answer = () => ({ status: 409, body: { detail: 'too early' } });
    expect(await everleaf('certificate renew --new-key')).toMatchObject({ code: 1, err: 'everleaf: too early\n' });
    const foreign = await ca.issue(makeKey(), 'CN=w');
    server.answer = () => ({ body: { ...foreign, chain: '' } });
    expect(await everleaf('certificate renew')).toMatchObject({ code: 1, err: expect.stringContaining('another key') });
    expect([read('cert.pem'), read('key.pem')]).toEqual([oldCert, oldKey]);
  });

  const moments = [1, 2, 3, 4, 5, 6].flatMap((at) => [
    { at, after: false },
    { at, after: true },
  ]);
  it.each(moments)('--new-key cut off at file change $at (done: $after) loses no pair', async (moment) => {
    Object.assign(crash, moment);
    expect(await everleaf('certificate renew --new-key')).toMatchObject({ code: 1 });
    Object.assign(crash, { at: 0 });
    const inPlace = matching() && read('cert.pem') === oldCert;
    if (!inPlace) expect([read('cert.pem.prev'), read('key.pem.prev')]).toEqual([oldCert, oldKey]);

    expect(await everleaf('principal get w')).toMatchObject({ code: 0 });
    expect(matching()).toBe(true);
    expect(await everleaf('certificate renew --new-key')).toMatchObject({ code: 0 });
    expect([matching(), matching('.prev')]).toEqual([true, true]);
    expect(read('key.pem')).not.toBe(oldKey);
  });
  it.each(moments.filter(({ at }) => at <= 4))(
    'cut off at file change $at (done: $after) loses no pair',
    async (moment) => {
      Object.assign(crash, moment);
      expect(await everleaf('certificate renew')).toMatchObject({ code: 1 });
      Object.assign(crash, { at: 0 });
      expect(matching()).toBe(true);
      expect(await everleaf('certificate renew')).toMatchObject({ code: 0 });
      expect(matching()).toBe(true);
      expect(read('cert.pem')).not.toBe(oldCert);
    },
  );
  describe('a certificate that waits as .next', () => {
    const wait = (pem: string) => writeFileSync(session.file('cert.pem.next'), pem);
    const key = () => {
      const own = readKey(oldKey);
      if (own === null) throw new Error('no key');
      return own;
    };
    it.each([
      ['another principal', () => ca, 'CN=other'],
      ['another CA', () => makeAuthority('CN=whoever'), 'CN=w'],
      ['another CA of the same name', () => makeAuthority('CN=CA'), 'CN=w'],
    ])('and is of %s is not put in place: the server is asked', async (_, authority, subject) => {
      const planted = (await (await authority()).issue(key(), subject, { days: 90 })).pem;
      wait(planted);
      expect(await everleaf('certificate renew')).toMatchObject({ code: 0, err: '' });
      expect(renewals()).toHaveLength(1);
      expect(read('cert.pem')).not.toBe(planted);
      expect(matching()).toBe(true);
    });
    it('and names another SAN is not put in place', async () => {
      wait((await ca.issue(key(), 'CN=w', { days: 90, names: ['elsewhere.example.com'] })).pem);
      await everleaf('certificate renew');
      expect(renewals()).toHaveLength(1);
    });
    it('beside a new key takes no other principal’s place', async () => {
      const made = makeKey();
      writeFileSync(session.file('key.pem'), writeKey(made));
      wait((await ca.issue(made, 'CN=other')).pem);
      expect(await everleaf('principal get w')).toMatchObject({
        code: 2,
        err: expect.stringContaining('--client-key'),
      });
      expect(read('cert.pem')).toBe(oldCert);
    });
  });
  it('puts in place what an interrupted run had received, without asking for another', async () => {
    Object.assign(crash, { at: 3 });
    await everleaf('certificate renew --new-key');
    Object.assign(crash, { at: 0 });
    const { err } = await everleaf('certificate renew --new-key');
    expect(err).toMatch(/^using the key in .*key.pem.next, .*\nfinishing a renewal that was interrupted\n$/);
    expect(renewals()).toHaveLength(1);
    expect(matching()).toBe(true);
  });
});
