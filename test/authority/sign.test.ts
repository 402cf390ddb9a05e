import { execFileSync } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Signer, signLeaf, signRoot } from '../../src/authority/sign.ts';
import type { LeafRequest } from '../../src/authority/sign-request.ts';
import { openAuthorityKey } from '../../src/aws/kms.ts';
import { InvalidInput, Unavailable } from '../../src/errors.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeAuthority, memoryKey, type TestAuthority } from './authority.ts';
import { commonName, ecKey, request, rsaKey } from './requests.ts';

const deployment = { name: 'airunner', environment: 'prod' };
const day = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), 'sign-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const openssl = (...args: string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
const textOf = (pem: string): string => openssl('x509', '-noout', '-text', '-in', file('text.pem', pem));
const verify = (root: string, leaf: string, purpose: 'sslclient' | 'sslserver'): string =>
  openssl('verify', '-x509_strict', '-purpose', purpose, '-CAfile', file('root.pem', root), file('leaf.pem', leaf));

const privateKey = ecKey();
const client = (more: Partial<LeafRequest & { profile: 'client' }> = {}): LeafRequest => ({
  profile: 'client',
  csr: request({ privateKey, subject: commonName('worker-prod-01') }),
  serial_number: '01936d3fa2b17c4e8f5d',
  principal_id: 'worker-prod-01',
  principal_type: 'worker',
  not_before_ms: Date.now() - 60_000,
  not_after_ms: Date.now() + 90 * day,
  ...more,
});
const server = (): LeafRequest => ({
  profile: 'server',
  csr: request({ privateKey }),
  serial_number: '01936d3fa2b17c4e8f5e',
  domain: 'airunner.example.com',
  not_before_ms: Date.now() - 60_000,
  not_after_ms: Date.now() + 90 * day,
});

describe('the authority', () => {
  let authority: TestAuthority;
  beforeAll(async () => {
    authority = await makeAuthority(deployment);
  });

  it('has a root that may sign certificates of its own and no authority below it', () => {
    const text = textOf(authority.root);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
    expect(text).toContain('Subject: CN = airunner prod CA, O = airunner');
    expect(text).toContain('X509v3 Subject Key Identifier');
    const root = new X509Certificate(authority.root);
    const years = (Date.parse(root.validTo) - Date.now()) / (365 * day);
    expect(years).toBeGreaterThan(9.9);
    expect(years).toBeLessThan(10.1);
  });

  it('signs client certificates that openssl verifies and that say what the contract says, no more', async () => {
    const { pem, chain, authority: keyId } = await authority.sign(client());
    expect(verify(authority.root, pem, 'sslclient')).toContain('OK');
    expect(new X509Certificate(chain).raw).toEqual(new X509Certificate(authority.root).raw);
    const text = textOf(pem);
    expect(text).toContain('Subject: CN = worker-prod-01\n');
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    expect(text).toMatch(/Extended Key Usage:\s+TLS Web Client Authentication\n/);
    expect(text).toMatch(/Alternative Name:\s+URI:spiffe:\/\/airunner\.prod\/worker\/worker-prod-01\n/);
    expect(text.match(/X509v3 /g)).toHaveLength(7); // six extensions and the line that announces them
    expect(text.replaceAll(':', '').toLowerCase()).toContain(keyId);
    expect(new X509Certificate(pem).serialNumber.toLowerCase()).toBe('01936d3fa2b17c4e8f5d');
    expect(() => verify(authority.root, pem, 'sslserver')).toThrow();
  });

  it('signs server certificates for one DNS name', async () => {
    const { pem } = await authority.sign(server());
    expect(verify(authority.root, pem, 'sslserver')).toContain('OK');
    const text = textOf(pem);
    expect(text).toMatch(/Extended Key Usage:\s+TLS Web Server Authentication\n/);
    expect(text).toMatch(/Alternative Name:\s+DNS:airunner\.example\.com\n/);
    expect(() => verify(authority.root, pem, 'sslclient')).toThrow();
  });

  it('takes the key from the request, of whichever kind it accepts', async () => {
    for (const key of [ecKey('P-384'), rsaKey(3072)]) {
      const { pem } = await authority.sign(client({ csr: request({ privateKey: key }) }));
      expect(new X509Certificate(pem).checkPrivateKey(key)).toBe(true);
    }
  });

  it('signs with a P-384 key too', async () => {
    const other = await makeAuthority(deployment, { key: memoryKey('P-384') });
    const { pem } = await other.sign(client());
    expect(verify(other.root, pem, 'sslclient')).toContain('OK');
    expect(textOf(pem)).toContain('ecdsa-with-SHA384');
  });

  it('checks the request once more, whoever checked it before', async () => {
    await expect(authority.sign(client({ principal_id: 'worker-prod-02' }))).rejects.toThrow(/subject is not/);
    await expect(authority.sign(client({ csr: 'x' }))).rejects.toThrow(InvalidInput);
  });

  it.each([
    ['398 days', { not_after_ms: Date.now() + 398 * day }, 'not_after_ms'],
    ['the past', { not_after_ms: Date.now() - 1 }, 'not_after_ms'],
    ['a beginning far from now', { not_before_ms: Date.now() - day }, 'not_before_ms'],
  ])('refuses %s', async (_what, times, field) => {
    await expect(authority.sign(client(times))).rejects.toMatchObject({ name: 'InvalidInput', field });
  });

  it('refuses servers more than 90 days', async () => {
    await expect(authority.sign({ ...server(), not_after_ms: Date.now() + 91 * day })).rejects.toMatchObject({
      field: 'not_after_ms',
    });
  });

  it('never signs beyond its root', async () => {
    const late = Date.now() + 3_640 * day;
    const key = memoryKey();
    const { root } = await makeAuthority(deployment, { key });
    const signer: Signer = {
      deployment,
      now: () => late,
      randomBytes: (n) => randomBytes(n),
      key,
      readBundle: async () => root,
    };
    const { pem } = await signLeaf(signer, client({ not_before_ms: late, not_after_ms: late + 90 * day }));
    expect(new X509Certificate(pem).validTo).toBe(new X509Certificate(root).validTo);
  });

  it('signs nothing without a root of its own key in the trust bundle', async () => {
    const foreign = await makeAuthority(deployment);
    const signer: Signer = {
      deployment,
      now: Date.now,
      randomBytes: (n) => randomBytes(n),
      key: memoryKey(),
      readBundle: async () => foreign.root,
    };
    await expect(signLeaf(signer, client())).rejects.toThrow(Unavailable);
    await expect(signLeaf({ ...signer, readBundle: async () => 'garbage' }, client())).rejects.toThrow(Unavailable);
  });
});

describeWithEmulator('the authority with its key in KMS', (emulator) => {
  it('signs a root and a leaf that openssl verifies', async () => {
    const kms = emulator.client(KMSClient);
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }));
    const key = await openAuthorityKey(KeyMetadata?.Arn ?? '', kms);
    let root = '';
    const signer: Signer = {
      deployment,
      now: Date.now,
      randomBytes: (n) => randomBytes(n),
      key,
      readBundle: async () => root,
    };
    root = (await signRoot(signer, { profile: 'root' })).pem;
    const { pem } = await signLeaf(signer, client());
    expect(verify(root, pem, 'sslclient')).toContain('OK');
  });

  it('is unavailable with any other kind of key', async () => {
    const kms = emulator.client(KMSClient);
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }));
    await expect(openAuthorityKey(KeyMetadata?.Arn ?? '', kms)).rejects.toThrow(Unavailable);
  });
});
