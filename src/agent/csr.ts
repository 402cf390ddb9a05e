/**
 * Certificate signing requests (RFC 2986) for an endpoint's names, written by hand: the library that does so elsewhere
 * would be a fifth of the memory that an agent may take.
 */
import { createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { promisify } from 'node:util';
import type { KeyType } from '../renewal/policy.ts';

const generate = promisify(generateKeyPair);

/** A new private key. */
export const makeKeyOf = async (type: KeyType): Promise<KeyObject> => {
  switch (type) {
    case 'ec-p256':
      return (await generate('ec', { namedCurve: 'prime256v1' })).privateKey;
    case 'ec-p384':
      return (await generate('ec', { namedCurve: 'secp384r1' })).privateKey;
    case 'rsa-2048':
      return (await generate('rsa', { modulusLength: 2048 })).privateKey;
    case 'rsa-3072':
      return (await generate('rsa', { modulusLength: 3072 })).privateKey;
  }
};

const element = (tag: number, ...content: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(content);
  const bytes: number[] = [];
  for (let left = body.length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  const length = body.length < 0x80 ? [body.length] : [0x80 | bytes.length, ...bytes];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...content: readonly Uint8Array[]) => element(0x30, ...content);
const set = (...content: readonly Uint8Array[]) => element(0x31, ...content);
const octets = (...content: readonly Uint8Array[]) => element(0x04, ...content);
const bits = (content: Uint8Array) => element(0x03, Buffer.from([0]), content);
const oid = (hex: string) => element(0x06, Buffer.from(hex, 'hex'));

const commonName = oid('550403');
const subjectAltName = oid('551d11');
const extensionRequest = oid('2a864886f70d01090e');
const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
const ecdsaWithSha384 = sequence(oid('2a8648ce3d040303'));
const rsaWithSha256 = sequence(oid('2a864886f70d01010b'), element(0x05));

/** RFC 5280, ub-common-name. */
const longestCommonName = 64;

/** Sixteen octets, whichever way the address is written. */
const addressOctets = (address: string): Buffer => {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const words = (text: string) => text.split(':').filter((word) => word !== '');
  const missing = 8 - words(head).length - words(tail ?? '').length;
  const all = [...words(head), ...Array<string>(tail === undefined ? 0 : missing).fill('0'), ...words(tail ?? '')];
  return Buffer.from(all.map((word) => word.padStart(4, '0')).join(''), 'hex');
};

/** GeneralName, RFC 5280 4.2.1.6. */
const generalName = (name: string): Buffer => {
  if (isIPv4(name)) return element(0x87, Buffer.from(name.split('.').map(Number)));
  if (isIPv6(name)) return element(0x87, addressOctets(name));
  return element(0x82, Buffer.from(name, 'ascii'));
};

const algorithmOf = (key: KeyObject) => {
  if (key.asymmetricKeyType === 'rsa') return { hash: 'sha256', identifier: rsaWithSha256 };
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1'
    ? { hash: 'sha384', identifier: ecdsaWithSha384 }
    : { hash: 'sha256', identifier: ecdsaWithSha256 };
};

/**
 * A PEM request that proves possession of the key and asks for these names, the first as common name too where it is
 * short enough for one; with none it leaves subject and names to the authority.
 */
export const makeCsrFor = (key: KeyObject, names: readonly string[]): string => {
  const [first] = names;
  const named = first !== undefined && first.length <= longestCommonName;
  const subject = named ? [set(sequence(commonName, element(0x0c, Buffer.from(first, 'ascii'))))] : [];
  const wanted = sequence(subjectAltName, octets(sequence(...names.map(generalName))));
  const attributes = first === undefined ? [] : [sequence(extensionRequest, set(sequence(wanted)))];
  const info = sequence(
    element(0x02, Buffer.from([0])),
    sequence(...subject),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    element(0xa0, ...attributes),
  );
  const { hash, identifier } = algorithmOf(key);
  const request = sequence(info, identifier, bits(sign(hash, info, key)));
  const lines = request.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE REQUEST-----', ...lines, '-----END CERTIFICATE REQUEST-----', ''].join('\n');
};
