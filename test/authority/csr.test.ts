import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readCsr } from '../../src/authority/csr.ts';
import { checkRequest } from '../../src/authority/csr-request.ts';
import { clientProfile } from '../../src/authority/profile.ts';
import { InvalidInput } from '../../src/errors.ts';
import {
  bitString,
  challengePassword,
  commonName,
  der,
  dnsName,
  ecKey,
  extension,
  extensionRequest,
  integer,
  name,
  oid,
  type Parts,
  pem,
  request,
  requestBytes,
  rsaKey,
  uriName,
} from './requests.ts';

const profile = clientProfile(
  { name: 'airunner', environment: 'prod' },
  { principal_id: 'worker-prod-01', principal_type: 'worker' },
);
const ours = profile.names[0]?.value ?? '';
const check = (csr: string): void => checkRequest(readCsr(csr), profile);

const privateKey = ecKey();
const rsa = rsaKey();
const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
const point = spki.subarray(-65);
const p256 = [oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7')] as const;
const made = (parts: Partial<Parts>): string => request({ privateKey, ...parts });
const asking = (...extensions: readonly Uint8Array[]): string =>
  made({ attributes: [extensionRequest(...extensions)] });
const rsaSpki = (modulus: bigint, exponent: bigint): Buffer =>
  der(0x30, der(0x30, oid('1.2.840.113549.1.1.1'), [5, 0]), bitString(der(0x30, integer(modulus), integer(exponent))));
const modulusOf = (key: typeof rsa): bigint =>
  BigInt(`0x${Buffer.from(createPublicKey(key).export({ format: 'jwk' }).n ?? '', 'base64url').toString('hex')}`);

describe('a request that is accepted', () => {
  it.each([
    ['P-256, empty subject', made({})],
    ['P-384', made({ privateKey: ecKey('P-384'), hash: 'sha384' })],
    ['RSA 2048', made({ privateKey: rsa })],
    ['RSA 4096', made({ privateKey: rsaKey(4096) })],
    ['its own common name', made({ subject: commonName('worker-prod-01') })],
    ['a challenge password, which is ignored', made({ attributes: [challengePassword('a')] })],
    ['exactly the SAN that it will get', asking(uriName(ours))],
    ['CA:false', asking(extension('2.5.29.19', der(0x30)))],
    ['digitalSignature', asking(extension('2.5.29.15', der(3, [7, 0x80])))],
    ['clientAuth', asking(extension('2.5.29.37', der(0x30, oid('1.3.6.1.5.5.7.3.2'))))],
    ['the old label', pem(requestBytes({ privateKey }), 'NEW CERTIFICATE REQUEST')],
    ['CRLF', made({}).replaceAll('\n', '\r\n')],
  ])('%s', (_what, csr) => expect(() => check(csr)).not.toThrow());

  it('has the digest of its SubjectPublicKeyInfo, whatever else it says', () => {
    expect(readCsr(made({})).key.public_key_sha256).toBe(readCsr(asking(uriName(ours))).key.public_key_sha256);
  });
});

const flip = (at: number) => (bytes: Buffer) => {
  const copy = Buffer.from(bytes);
  copy[copy.length + at] = (copy[copy.length + at] ?? 0) ^ 1;
  return copy;
};

const refusals: readonly (readonly [string, string, RegExp])[] = [
  ['nothing', '', /malformed PEM/],
  ['garbage', 'garbage', /malformed PEM/],
  ['a certificate', pem(requestBytes({ privateKey }), 'CERTIFICATE'), /malformed PEM/],
  ['broken base64', '-----BEGIN CERTIFICATE REQUEST-----\nMII=A\n-----END CERTIFICATE REQUEST-----', /malformed PEM/],
  ['two blocks', made({}) + made({}), /malformed PEM/],
  ['text after the block', `${made({})}and more`, /malformed PEM/],
  ['text before the block', `Certificate Request:\n${made({})}`, /malformed PEM/],
  ['a very long one', made({ attributes: [challengePassword('a'.repeat(50_000))] }), /longer than/],
  ['no DER', pem(Buffer.from('hello, world')), /malformed DER/],
  ['trailing bytes', made({ edit: (bytes) => Buffer.concat([bytes, Buffer.from([0])]) }), /trailing bytes/],
  ['cut short', made({ edit: (bytes) => bytes.subarray(0, -1) }), /cut short/],
  [
    'an indefinite length',
    made({ edit: (bytes) => Buffer.concat([Buffer.from([0x30, 0x80]), bytes.subarray(4), Buffer.from([0, 0])]) }),
    /indefinite length/,
  ],
  [
    'a length that is not minimal',
    made({ edit: (bytes) => Buffer.concat([Buffer.from([0x30, 0x83, 0]), bytes.subarray(2)]) }),
    /length not minimal|cut short/,
  ],
  ['another version', made({ version: 1 }), /version/],
  ['a boolean that is neither', asking(der(0x30, oid('2.5.29.19'), [1, 1, 1], der(4, der(0x30)))), /boolean/],
  ['no attributes at all', pem(der(0x30, der(0x30, integer(0n), name(), spki))), /malformed DER/],

  [
    'a signature by another key',
    made({ spki: createPublicKey(ecKey()).export({ format: 'der', type: 'spki' }) }),
    /possession/,
  ],
  ['a changed signature', made({ edit: flip(-1) }), /possession/],
  [
    'a signature of another kind of key',
    made({ algorithm: der(0x30, oid('1.2.840.113549.1.1.11'), [5, 0]) }),
    /not of the key/,
  ],
  ['SHA-1', made({ hash: 'sha1' }), /too weak/],
  ['SHA-1 with RSA', made({ privateKey: rsa, hash: 'sha1' }), /too weak/],
  ['MD5 with RSA', made({ privateKey: rsa, hash: 'md5' }), /too weak/],
  ['an unknown signature algorithm', made({ algorithm: der(0x30, oid('1.2.3.4')) }), /not accepted/],

  ['RSA 1024', made({ privateKey: rsaKey(1024) }), /1024 bits/],
  ['RSA 2047', made({ privateKey: rsa, spki: rsaSpki(modulusOf(rsa) >> 1n, 65537n) }), /2047 bits/],
  ['RSA 4104', made({ privateKey: rsa, spki: rsaSpki((1n << 4103n) + 1n, 65537n) }), /4104 bits/],
  ['RSA exponent 1', made({ privateKey: rsa, spki: rsaSpki(modulusOf(rsa), 1n) }), /exponent is below 65537/],
  ['RSA exponent 3', made({ privateKey: rsaKey(2048, 3) }), /exponent is below 65537/],
  ['an even RSA exponent', made({ privateKey: rsa, spki: rsaSpki(modulusOf(rsa), 65538n) }), /exponent is even/],
  ['a huge RSA exponent', made({ privateKey: rsa, spki: rsaSpki(modulusOf(rsa), (1n << 70n) + 1n) }), /2\^64/],
  ['an even RSA modulus', made({ privateKey: rsa, spki: rsaSpki(modulusOf(rsa) - 1n, 65537n) }), /modulus is even/],
  ['P-521', made({ privateKey: ecKey('P-521') }), /curve must be/],
  ['secp256k1', made({ privateKey: ecKey('secp256k1') }), /curve must be/],
  ['Ed25519', made({ privateKey: generateKeyPairSync('ed25519').privateKey }), /must be RSA, or EC/],
  ['RSA-PSS', made({ spki: rsaPssSpki() }), /must be RSA, or EC/],
  [
    'a compressed point',
    made({ spki: der(0x30, der(0x30, ...p256), bitString(Buffer.from([2, ...point.subarray(1, 33)]))) }),
    /uncompressed/,
  ],
  [
    'a point off the curve',
    made({
      spki: der(0x30, der(0x30, ...p256), bitString(Buffer.from([...point.subarray(0, 64), (point[64] ?? 0) ^ 1]))),
    }),
    /malformed public key/,
  ],
  [
    'explicit curve parameters',
    made({ spki: der(0x30, der(0x30, oid('1.2.840.10045.2.1'), der(0x30, integer(1n))), bitString(point)) }),
    /must be named/,
  ],
  [
    'an RSA key in other clothes',
    made({
      privateKey: rsa,
      spki: der(
        0x30,
        der(0x30, oid('1.2.840.113549.1.1.1')),
        bitString(der(0x30, integer(modulusOf(rsa)), integer(65537n))),
      ),
    }),
    /canonical|malformed public key/,
  ],

  ['a foreign common name', made({ subject: commonName('admin-bootstrap') }), /subject is not CN=worker-prod-01/],
  ['the common name in other case', made({ subject: commonName('Worker-prod-01') }), /subject is not/],
  ['an organisation', made({ subject: name(['2.5.4.10', 'acme'], ['2.5.4.3', 'worker-prod-01']) }), /common name only/],
  [
    'two common names',
    made({ subject: name(['2.5.4.3', 'worker-prod-01'], ['2.5.4.3', 'worker-prod-01']) }),
    /several/,
  ],
  [
    'a subject in UTF-16',
    made({ subject: der(0x30, der(0x31, der(0x30, oid('2.5.4.3'), der(0x1e, [0, 97])))) }),
    /UTF8String/,
  ],
  ['a foreign URI', asking(uriName('spiffe://airunner.prod/admin/worker-prod-01')), /subject alternative name/],
  ['a DNS name', asking(dnsName('worker-prod-01')), /subject alternative name/],
  [
    'another name beside ours',
    asking(extension('2.5.29.17', der(0x30, der(0x86, Buffer.from(ours)), der(0x82, Buffer.from('a.example'))))),
    /subject alternative name/,
  ],
  ['the same SAN asked twice', asking(uriName(ours), uriName(ours)), /twice/],
  ['CA:true', asking(extension('2.5.29.19', der(0x30, [1, 1, 0xff]))), /CA:true/],
  ['keyCertSign', asking(extension('2.5.29.15', der(3, [2, 0x84]))), /key usage/],
  ['serverAuth', asking(extension('2.5.29.37', der(0x30, oid('1.3.6.1.5.5.7.3.1')))), /extended key usage/],
  [
    'any purpose beside clientAuth',
    asking(extension('2.5.29.37', der(0x30, oid('1.3.6.1.5.5.7.3.2'), oid('2.5.29.37.0')))),
    /extended key usage/,
  ],
  ['name constraints', asking(extension('2.5.29.30', der(0x30))), /2\.5\.29\.30/],
  [
    'extensions asked in two lists',
    made({ attributes: [extensionRequest(uriName(ours)), extensionRequest(uriName(ours))] }),
    /twice/,
  ],
];

function rsaPssSpki(): Uint8Array {
  const { publicKey } = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });
  return publicKey.export({ format: 'der', type: 'spki' });
}

describe('a request that is refused by name', () => {
  it.each(refusals)('%s', (_what, csr, message) => {
    const refused = (() => {
      try {
        check(csr);
      } catch (error) {
        return error;
      }
      return undefined;
    })();
    expect(refused).toBeInstanceOf(InvalidInput);
    expect(refused).toMatchObject({ field: 'csr', message: expect.stringMatching(message) });
  });

  it('for whichever byte of it was changed', () => {
    const good = requestBytes({ privateKey, subject: commonName('worker-prod-01'), attributes: [] });
    for (let at = 0; at < good.length; at += 1) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 0x41;
      expect(() => check(pem(bad)), `byte ${at}`).toThrow(InvalidInput);
    }
  });
});
