import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCertificate, rememberCertificates } from '../../src/access/certificate.ts';
import {
  clientAuth,
  fingerprintOf,
  makeCertificate,
  principalId,
  serial,
  serverAuth,
  spiffe,
  uri,
} from './certificates.ts';

const hostileName = (value: string) => [{ CN: [{ utf8String: value }] }];

describe('a certificate that the authority issued', () => {
  it('is read to the last fact', async () => {
    const pem = await makeCertificate();
    expect(parseCertificate(pem)).toEqual({
      serial_number: serial,
      fingerprint: fingerprintOf(pem),
      commonName: principalId,
      uri: spiffe,
      clientAuth: true,
      ca: false,
      notAfter: Date.parse('2027-01-01T00:00:00Z'),
    });
  });

  it.each([
    ['00ff', 'ff'],
    ['0a', '0a'],
    ['000102', '0102'],
    ['80aabb', '80aabb'],
    ['0193a4b5c6d7e8f9001122334455667788990011', '0193a4b5c6d7e8f9001122334455667788990011'],
  ])('with serial %s has the row key %s', async (given, key) => {
    expect(parseCertificate(await makeCertificate({ serial: given }))?.serial_number).toBe(key);
  });
});

describe('a common name', () => {
  const read = async (subject: string | x509.JsonNameParams) =>
    parseCertificate(await makeCertificate({ subject }))?.commonName;

  it('stands alone, whatever other attributes say', async () => {
    expect(await read(`O=CN\\=admin-bootstrap, CN=${principalId}`)).toBe(principalId);
    expect(await read([{ O: [`x\nCN=admin-bootstrap`] }, { CN: [principalId] }])).toBe(principalId);
    expect(await read([{ O: [`x, CN=admin-bootstrap`] }])).toBeUndefined();
    expect(await read([{ '2.5.4.5': ['CN=admin-bootstrap'] }])).toBeUndefined();
  });

  it('is none where there are two, beside each other or in one RDN', async () => {
    expect(await read(`CN=${principalId}, CN=${principalId}`)).toBeUndefined();
    expect(await read([{ CN: [principalId, 'admin-bootstrap'] }])).toBeUndefined();
    expect(await read([{ CN: [principalId] }, { CN: ['admin-bootstrap'] }])).toBeUndefined();
  });

  it('is found in an RDN that it shares with another attribute', async () => {
    expect(await read([{ O: ['x'], CN: [principalId] }])).toBe(principalId);
  });

  it('keeps newlines, NULs and quotes as they are, so that no look-alike equals an id', async () => {
    for (const name of [
      `${principalId}\n`,
      `${principalId}\0`,
      `"${principalId}"`,
      `${principalId}\\`,
      ` ${principalId}`,
    ])
      expect(await read(hostileName(name))).toBe(name);
  });

  it('is none when empty, longer than X.520 allows, missing, or in an encoding of other letters', async () => {
    expect(await read(hostileName(''))).toBeUndefined();
    expect(await read(hostileName('a'.repeat(65)))).toBeUndefined();
    expect(await read(hostileName('a'.repeat(5_000)))).toBeUndefined();
    expect(await read('O=nobody')).toBeUndefined();
    expect(await read('')).toBeUndefined();
    expect(await read([{ CN: [{ bmpString: 'ab' }] }])).toBeUndefined();
  });
});

describe('a subject alternative name', () => {
  const read = async (...sans: x509.JsonGeneralName[]) => parseCertificate(await makeCertificate({ sans }))?.uri;

  it('is the URI that stands alone', async () => {
    expect(await read(uri('spiffe://x.y/admin/z'))).toBe('spiffe://x.y/admin/z');
    expect(await read(uri(`spiffe://x", URI:${spiffe}`))).toBe(`spiffe://x", URI:${spiffe}`);
    expect(await read(uri(`${spiffe}\n`))).toBe(`${spiffe}\n`);
    expect(await read(uri(`${spiffe}\0`))).toBe(`${spiffe}\0`);
  });

  it('is none where there is another of any kind', async () => {
    expect(await read()).toBeUndefined();
    expect(await read(uri(spiffe), uri(spiffe))).toBeUndefined();
    expect(await read(uri(spiffe), { type: 'dns', value: 'a.example' })).toBeUndefined();
    expect(await read({ type: 'dns', value: `URI:${spiffe}` })).toBeUndefined();
    expect(await read({ type: 'email', value: spiffe })).toBeUndefined();
    expect(await read(uri(spiffe), { type: 'ip', value: '10.0.0.1' })).toBeUndefined();
    expect(await read({ type: 'dn', value: `CN=${spiffe}` })).toBeUndefined();
    expect(await read({ type: 'id', value: '1.2.3' }, uri(spiffe))).toBeUndefined();
  });

  it('counts over a second extension too', async () => {
    const second = new x509.SubjectAlternativeNameExtension([uri('spiffe://airunner.prod/admin/admin-bootstrap')]);
    const pem = await makeCertificate({ extensions: [second] });
    expect(parseCertificate(pem)?.uri).toBeUndefined();
  });
});

describe('usages', () => {
  it.each([
    [[clientAuth], true],
    [[serverAuth, clientAuth], true],
    [[serverAuth], false],
    [['2.5.29.37.0'], false],
    [[], false],
  ])('%j: client authentication is %s', async (usages, expected) => {
    expect(parseCertificate(await makeCertificate({ usages }))?.clientAuth).toBe(expected);
  });

  it('a CA is one even where its key usage does not let it sign certificates', async () => {
    const usage = new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true);
    expect(parseCertificate(await makeCertificate({ ca: true, extensions: [usage] }))?.ca).toBe(true);
    expect(parseCertificate(await makeCertificate({ ca: true }))?.ca).toBe(true);
  });

  it('a CA is one even where a first basic constraint says otherwise', async () => {
    const second = new x509.BasicConstraintsExtension(true);
    expect(parseCertificate(await makeCertificate({ extensions: [second] }))?.ca).toBe(true);
  });
});

describe('what is no certificate of ours', () => {
  it.each([
    ['nothing', ''],
    ['garbage', 'garbage'],
    ['an empty PEM', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
    ['PEM of garbage', '-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n'],
    ['a megabyte', 'A'.repeat(1_000_000)],
  ])('%s is undefined and throws nothing', (_, pem) => {
    expect(parseCertificate(pem)).toBeUndefined();
  });

  it('a cut certificate is undefined, wherever it is cut', async () => {
    const pem = await makeCertificate();
    const der = Buffer.from(pem.replace(/-----.*-----|\s/g, ''), 'base64');
    for (let length = 0; length < der.length; length += 7) {
      const cut = der.subarray(0, length).toString('base64');
      expect(parseCertificate(`-----BEGIN CERTIFICATE-----\n${cut}\n-----END CERTIFICATE-----\n`)).toBeUndefined();
    }
  });

  it('a certificate with any one byte changed is another or none, never a crash', async () => {
    const pem = await makeCertificate();
    const der = Buffer.from(pem.replace(/-----.*-----|\s/g, ''), 'base64');
    const { fingerprint } = parseCertificate(pem) ?? {};
    for (let at = 0; at < der.length; at++) {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] ?? 0) ^ 0x81;
      const text = changed.toString('base64').replace(/(.{64})/g, '$1\n');
      const read = parseCertificate(`-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`);
      expect(read?.fingerprint).not.toBe(fingerprint);
    }
  });
});

describe('certificates that openssl makes', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const openssl = (...more: string[]): string =>
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', ...more],
      { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' },
    );

  it('are read as theirs are', () => {
    writeFileSync(join(folder, 'ours.cnf'), '[req]\ndistinguished_name=dn\n[dn]\n');
    const pem = openssl(
      ...['-config', 'ours.cnf', '-keyout', 'key.pem', '-subj', `/CN=${principalId}`, '-set_serial', `0x${serial}`],
      ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'extendedKeyUsage=clientAuth'],
      ...['-addext', `subjectAltName=URI:${spiffe}`],
    );
    expect(parseCertificate(pem)).toMatchObject({
      serial_number: serial,
      commonName: principalId,
      uri: spiffe,
      clientAuth: true,
      ca: false,
      fingerprint: fingerprintOf(pem),
    });
  });

  it('with a multi-valued RDN of two names have no common name', () => {
    const pem = openssl('-keyout', 'key.pem', '-multivalue-rdn', '-subj', `/CN=${principalId}+CN=admin-bootstrap`);
    expect(parseCertificate(pem)).toMatchObject({ commonName: undefined, ca: true, clientAuth: false });
  });

  it('with a name in an encoding of other letters have no common name', () => {
    const config = '[req]\nstring_mask=MASK:4\nprompt=no\ndistinguished_name=dn\n[dn]\nCN=';
    writeFileSync(join(folder, 'teletex.cnf'), `${config}${principalId}\n`);
    const pem = openssl('-config', 'teletex.cnf', '-keyout', 'key.pem');
    expect(pem).toContain('BEGIN CERTIFICATE');
    expect(Buffer.from(pem.replace(/-----.*-----|\s/g, ''), 'base64').toString('latin1')).toContain(
      `\x14\x0e${principalId}`,
    );
    expect(parseCertificate(pem)?.commonName).toBeUndefined();
  });

  it.each(['-5', '0'])('with serial number %s are none of ours', (given) => {
    const pem = openssl('-keyout', 'key.pem', '-subj', `/CN=${principalId}`, '-set_serial', given);
    expect(pem).toContain('BEGIN CERTIFICATE');
    expect(parseCertificate(pem)).toBeUndefined();
  });

  it('with a serial number longer than RFC 5280 allows are none of ours', () => {
    const pem = openssl('-keyout', 'key.pem', '-subj', `/CN=${principalId}`, '-set_serial', `0x01${'00'.repeat(20)}`);
    expect(pem).toContain('BEGIN CERTIFICATE');
    expect(parseCertificate(pem)).toBeUndefined();
  });
});

describe('remembering', () => {
  it('parses a certificate once and says so', async () => {
    const certificates = rememberCertificates();
    const pem = await makeCertificate();
    const first = certificates(pem);
    expect(first.remembered).toBe(false);
    const second = certificates(`${pem}`);
    expect(second.remembered).toBe(true);
    expect(second.certificate).toBe(first.certificate);
  });

  it('tells two certificates apart that differ in one signature', async () => {
    const certificates = rememberCertificates();
    const [one, other] = [await makeCertificate(), await makeCertificate()];
    expect(certificates(one).certificate?.fingerprint).not.toBe(certificates(other).certificate?.fingerprint);
  });

  it('keeps no more than its capacity, and forgets the oldest first', async () => {
    const certificates = rememberCertificates(2);
    const pems = await Promise.all([makeCertificate(), makeCertificate(), makeCertificate()]);
    for (const pem of pems) certificates(pem);
    expect(pems.map((pem) => certificates(pem).remembered)).toEqual([false, false, false]);
    expect(certificates(pems[2] ?? '').remembered).toBe(true);
  });

  it('does not remember garbage', () => {
    const certificates = rememberCertificates();
    certificates('garbage');
    expect(certificates('garbage')).toEqual({ certificate: undefined, remembered: false });
  });
});
