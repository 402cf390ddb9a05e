/** Requests written by hand: other readers must read in them what was asked, and the key must be proven. */
import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { makeCsrFor, makeKeyOf } from '../../src/agent/csr.ts';
import { readCsr } from '../../src/authority/csr.ts';
import { keyTypes } from '../../src/renewal/policy.ts';

const openssl = (csr: string) =>
  execFileSync('openssl', ['req', '-noout', '-text', '-verify', '-nameopt', 'RFC2253'], {
    input: csr,
    encoding: 'utf8',
    stdio: 'pipe',
  });

describe.each(keyTypes)('a request for a key of type %s', (type) => {
  it('is proven by its key, and names all, the first as common name too', async () => {
    const key = await makeKeyOf(type);
    const names = ['web.example.com', '*.example.com', '10.1.2.3', '2001:db8::5:0:1', '::1'];
    const csr = makeCsrFor(key, names);
    expect(openssl(csr)).toMatch(/Subject: CN=web\.example\.com\n/);
    expect(openssl(csr).replace(/\s+/g, ' ')).toContain(
      'DNS:web.example.com, DNS:*.example.com, IP Address:10.1.2.3, IP Address:2001:DB8:0:0:0:5:0:1, IP Address:0:0:0:0:0:0:0:1',
    );
    const read = readCsr(csr);
    expect(read.key.key.equals(createPublicKey(key))).toBe(true);
    expect(read.subject).toEqual([{ oid: '2.5.4.3', value: 'web.example.com' }]);
  });
});

it('leaves subject and names to the authority when it names none', async () => {
  const read = readCsr(makeCsrFor(await makeKeyOf('ec-p256'), []));
  expect([read.subject, read.extensions]).toEqual([[], []]);
});
it('holds a hundred long names, and leaves out a common name that is too long for one', async () => {
  const names = Array.from({ length: 100 }, (_, index) => `${'a'.repeat(60)}.${'b'.repeat(60)}.n${index}.example.com`);
  const csr = makeCsrFor(await makeKeyOf('ec-p256'), names);
  expect(openssl(csr).match(/DNS:/g)).toHaveLength(100);
  expect(readCsr(csr).subject).toEqual([]);
});
it('makes keys of the asked kind', async () => {
  expect((await makeKeyOf('ec-p384')).asymmetricKeyDetails?.namedCurve).toBe('secp384r1');
  expect((await makeKeyOf('rsa-3072')).asymmetricKeyDetails?.modulusLength).toBe(3072);
});
