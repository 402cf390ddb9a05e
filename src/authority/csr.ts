/** Reads a certificate signing request (RFC 2986): well-formed, and signed by the key that it asks a certificate for. */
import { verify } from 'node:crypto';
import { InvalidInput } from '../errors.ts';
import { type Der, MalformedDer, readDer, readOid, tags } from './der.ts';
import { type CheckedKey, checkPublicKey } from './public-key.ts';

/** What a request asks for beside its key. Nothing of it is ever copied into a certificate. */
export interface Csr {
  readonly key: CheckedKey;
  /** The subject's attributes in order: object identifier and text. */
  readonly subject: readonly { readonly oid: string; readonly value: string }[];
  /** Requested extensions; `value` is the content of the extension's OCTET STRING, parsed. */
  readonly extensions: readonly { readonly oid: string; readonly value: Der }[];
}

/** Characters of PEM: a hundred names of full length, and the key and signature of RSA-4096. */
const longest = 40_960;
const extensionRequests = new Set(['1.2.840.113549.1.9.14', '1.3.6.1.4.1.311.2.1.14']);
/** Context class, constructed, number 0: CertificationRequestInfo's attributes. */
const attributesTag = 0xa0;

const signatures: Readonly<Record<string, { kind: CheckedKey['kind']; hash: string }>> = {
  '1.2.840.113549.1.1.11': { kind: 'RSA', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { kind: 'RSA', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { kind: 'RSA', hash: 'sha512' },
  '1.2.840.10045.4.3.2': { kind: 'EC', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { kind: 'EC', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { kind: 'EC', hash: 'sha512' },
};
const weakSignatures = new Set([
  '1.2.840.113549.1.1.2',
  '1.2.840.113549.1.1.4',
  '1.2.840.113549.1.1.5',
  '1.2.840.10045.4.1',
  '1.3.14.3.2.29',
]);

const refuse = (message: string): never => {
  throw new InvalidInput('csr', message);
};
const malformed = (): never => refuse('malformed DER');

/** Parses and proves possession of the key. @throws InvalidInput on `csr`, naming what is wrong. */
export const readCsr = (pem: string): Csr => {
  const der = decodePem(pem);
  try {
    return parse(readDer(der));
  } catch (error) {
    if (error instanceof MalformedDer) return refuse(`malformed DER: ${error.message}`);
    throw error;
  }
};

const decodePem = (pem: string): Uint8Array => {
  if (pem.length > longest) return refuse(`is longer than ${longest} characters`);
  const block = /^\s*-----BEGIN ((?:NEW )?CERTIFICATE REQUEST)-----\s([A-Za-z0-9+/=\s]+)-----END \1-----\s*$/.exec(pem);
  const base64 = (block?.[2] ?? '').replace(/\s/g, '');
  const der = Buffer.from(base64, 'base64');
  if (base64 === '' || der.toString('base64') !== base64)
    return refuse('malformed PEM: one CERTIFICATE REQUEST block and nothing else is expected');
  return der;
};

const parse = (request: Der): Csr => {
  const [info, algorithm, signature, ...rest] = request.children;
  if (request.tag !== tags.sequence || rest.length > 0 || signature?.tag !== tags.bitString) return malformed();
  if (info?.tag !== tags.sequence || algorithm?.tag !== tags.sequence) return malformed();
  const [version, subject, spki, attributes, ...more] = info.children;
  if (version?.tag !== tags.integer || version.content.length !== 1 || version.content[0] !== 0)
    return refuse('malformed DER: version is not 1');
  if (subject?.tag !== tags.sequence || spki === undefined || more.length > 0) return malformed();
  if (attributes?.tag !== attributesTag) return malformed();
  const key = checkPublicKey(spki);
  checkSignature(info, algorithm, signature, key);
  return { key, subject: readSubject(subject), extensions: readExtensions(attributes) };
};

const checkSignature = (info: Der, algorithm: Der, signature: Der, key: CheckedKey): void => {
  const [name, parameters, ...rest] = algorithm.children;
  if (name?.tag !== tags.oid || rest.length > 0) malformed();
  const oid = readOid(name?.content ?? new Uint8Array());
  if (weakSignatures.has(oid)) refuse('signature algorithm is too weak: SHA-256, SHA-384 or SHA-512 is expected');
  const scheme = signatures[oid];
  if (scheme === undefined)
    throw new InvalidInput('csr', 'signature algorithm is not accepted: RSA PKCS#1 or ECDSA is expected');
  if (scheme.kind !== key.kind) refuse('signature algorithm is not of the key');
  if (parameters !== undefined && (scheme.kind === 'EC' || parameters.tag !== tags.null)) malformed();
  if (signature.content[0] !== 0) malformed();
  let proven = false;
  try {
    proven = verify(scheme.hash, info.bytes, key.key, signature.content.subarray(1));
  } catch {
    // A signature that cannot even be read proves nothing.
  }
  if (!proven) refuse('signature does not prove possession of the key');
};

const readSubject = (name: Der): Csr['subject'] =>
  name.children.flatMap((rdn) => {
    if (rdn.tag !== tags.set || rdn.children.length === 0) return malformed();
    return rdn.children.map((attribute) => {
      const [oid, value, ...rest] = attribute.children;
      if (attribute.tag !== tags.sequence || oid?.tag !== tags.oid || value === undefined || rest.length > 0)
        return malformed();
      return { oid: readOid(oid.content), value: readText(value) };
    });
  });

const texts = new Set<number>([tags.utf8String, tags.printableString, tags.ia5String]);

const readText = (value: Der): string => {
  if (!texts.has(value.tag)) return refuse('subject must be a UTF8String, PrintableString or IA5String');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value.content);
  } catch {
    return refuse('subject is not UTF-8');
  }
};

/** Attributes other than requested extensions (challengePassword among them) are for other authorities. */
const readExtensions = (attributes: Der): Csr['extensions'] => {
  const found: { oid: string; value: Der }[] = [];
  for (const attribute of attributes.children) {
    const [oid, values, ...rest] = attribute.children;
    if (attribute.tag !== tags.sequence || oid?.tag !== tags.oid || values?.tag !== tags.set || rest.length > 0)
      return malformed();
    if (!extensionRequests.has(readOid(oid.content))) continue;
    const [list, ...others] = values.children;
    if (list?.tag !== tags.sequence || others.length > 0) return malformed();
    for (const extension of list.children) {
      const name = extension.children[0];
      const value = extension.children.at(-1);
      const critical = extension.children.length === 3 ? extension.children[1] : undefined;
      if (extension.tag !== tags.sequence || extension.children.length < 2 || extension.children.length > 3)
        return malformed();
      if (name?.tag !== tags.oid || value?.tag !== tags.octetString) return malformed();
      // DER leaves a default out: `critical` is there only when it is true.
      if (critical !== undefined && (critical.tag !== tags.boolean || critical.content[0] !== 0xff)) return malformed();
      found.push({ oid: readOid(name.content), value: readDer(value.content) });
    }
  }
  if (new Set(found.map(({ oid }) => oid)).size !== found.length) return refuse('an extension is requested twice');
  return found;
};
