/** Certificates of endpoints: the names that are said and no others, whatever an agent's request asks for. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCsrFor } from '../../src/agent/csr.ts';
import type { LeafRequest } from '../../src/authority/sign-request.ts';
import { signRequestSchema } from '../../src/authority/sign-request.ts';
import { makeAuthority, type TestAuthority } from './authority.ts';
import { der, ecKey, extension, extensionRequest, oid, request, rsaKey } from './requests.ts';

const day = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), 'endpoint-'));
afterAll(() => rmSync(folder, { recursive: true }));

const key = ecKey();
const names = ['web.example.com', '*.web.example.com', '192.0.2.7', '2001:db8::7'];

type EndpointRequest = Extract<LeafRequest, { profile: 'endpoint' }>;
const asking = (more: Partial<EndpointRequest> = {}): EndpointRequest => ({
  profile: 'endpoint',
  csr: makeCsrFor(key, more.names ?? names),
  serial_number: '01936d3fa2b17c4e8f5d',
  names,
  client_auth: false,
  not_before_ms: Date.now() - 60_000,
  not_after_ms: Date.now() + 47 * day,
  ...more,
});
const textOf = (pem: string): string => {
  writeFileSync(join(folder, 'leaf.pem'), pem);
  return execFileSync('openssl', ['x509', '-noout', '-text', '-in', join(folder, 'leaf.pem')], { encoding: 'utf8' });
};

describe('an endpoint’s certificate', () => {
  let authority: TestAuthority;
  beforeAll(async () => {
    authority = await makeAuthority({ name: 'airunner', environment: 'prod' });
    writeFileSync(join(folder, 'root.pem'), authority.root);
  });
  const verify = (pem: string, purpose: 'sslclient' | 'sslserver'): string => {
    writeFileSync(join(folder, 'leaf.pem'), pem);
    const words = ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', join(folder, 'root.pem')];
    return execFileSync('openssl', [...words, join(folder, 'leaf.pem')], { encoding: 'utf8', stdio: 'pipe' });
  };

  it('is for servers, with each name and address of the agent’s own request, and openssl verifies it', async () => {
    const { pem } = await authority.sign(asking());
    expect(verify(pem, 'sslserver')).toContain('OK');
    expect(() => verify(pem, 'sslclient')).toThrow();
    const text = textOf(pem);
    expect(text).toContain('Subject: CN = web.example.com\n');
    expect(text).toContain(
      'DNS:web.example.com, DNS:*.web.example.com, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7\n',
    );
    expect(text).toMatch(/Extended Key Usage:\s+TLS Web Server Authentication\n/);
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    expect(new X509Certificate(pem).checkPrivateKey(key)).toBe(true);
  });

  it('is for clients as well where the policy says so', async () => {
    const { pem } = await authority.sign(asking({ client_auth: true }));
    for (const purpose of ['sslserver', 'sslclient'] as const) expect(verify(pem, purpose)).toContain('OK');
  });

  it('takes names from what is said, not from a request that names none', async () => {
    const { pem } = await authority.sign(asking({ csr: makeCsrFor(key, []), names: ['::1'] }));
    expect(textOf(pem)).toContain('IP Address:0:0:0:0:0:0:0:1\n');
  });

  it('takes a hundred names of full length', async () => {
    const label = 'a'.repeat(60);
    const long = Array.from({ length: 99 }, (_, n) => `n${n}.${label}.${label}.${label}.example.com`);
    const many = ['first.example.com', ...long];
    const csr = makeCsrFor(rsaKey(3072), many);
    const { pem } = await authority.sign(asking({ csr, names: many }));
    expect(new X509Certificate(pem).checkHost(long.at(-1) ?? '')).toBeDefined();
  });

  const san = (...names: readonly Uint8Array[]): string =>
    request({ privateKey: key, attributes: [extensionRequest(extension('2.5.29.17', der(0x30, ...names)))] });
  const dns = (name: string) => der(0x82, Buffer.from(name));
  it.each([
    ['another name', makeCsrFor(key, ['evil.example.com', ...names.slice(1)])],
    ['a name less', makeCsrFor(key, names.slice(0, -1))],
    ['a name more', makeCsrFor(key, [...names, 'evil.example.com'])],
    ['a name twice in place of another', makeCsrFor(key, [...names.slice(0, -1), names[0] ?? ''])],
    ['no name in its list', san()],
    ['a name of another kind', san(...names.map((name) => der(0x86, Buffer.from(name))))],
    ['an address as a host name', san(...names.map(dns))],
    [
      'clientAuth',
      request({
        privateKey: key,
        attributes: [extensionRequest(extension('2.5.29.37', der(0x30, oid('1.3.6.1.5.5.7.3.2'))))],
      }),
    ],
  ])('is refused to a request for %s', async (_what, csr) => {
    await expect(authority.sign(asking({ csr }))).rejects.toMatchObject({ name: 'InvalidInput', field: 'csr' });
  });

  it('may ask for its names in any order', async () => {
    const [first = '', ...rest] = names;
    const csr = makeCsrFor(key, [first, ...rest.reverse()]);
    expect((await authority.sign(asking({ csr }))).pem).toContain('BEGIN CERTIFICATE');
  });

  it('lasts 397 days at most', async () => {
    await expect(authority.sign(asking({ not_after_ms: Date.now() + 398 * day }))).rejects.toMatchObject({
      field: 'not_after_ms',
    });
  });

  it.each([[[]], [['Web.example.com']], [['a..b']], [['web.example.com', 'web.example.com']]])(
    'is not signed for %j',
    (wrong) => {
      expect(signRequestSchema.safeParse({ ...asking(), names: wrong }).success).toBe(false);
    },
  );
});
