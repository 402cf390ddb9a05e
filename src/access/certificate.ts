/** A client certificate as the gate sees it: the few facts its decision needs, read from the DER itself. */
import { hash, X509Certificate } from 'node:crypto';

export interface PresentedCertificate {
  /** Lower-case hex of even length, no leading zero bytes, at most 20 bytes (RFC 5280, 4.1.2.2). */
  readonly serial_number: string;
  /** Lower-case hex SHA-256 of the DER. */
  readonly fingerprint: string;
  /** The subject's only common name, 1 to 64 characters (X.520); undefined where there is none, another one, or an odd one. */
  readonly commonName: string | undefined;
  /** The only subject alternative name, where that is a URI; undefined otherwise. */
  readonly uri: string | undefined;
  readonly clientAuth: boolean;
  readonly ca: boolean;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** Far above what a TLS client can sensibly send; keeps what is remembered small. */
const longestPem = 16_384;

interface Element {
  readonly tag: number;
  readonly value: Buffer;
}

/** The DER elements that lie side by side in `der`. Anything but DER's definite lengths throws. */
const elements = (der: Buffer): Element[] => {
  const found: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const tag = der.readUInt8(at++);
    let length = der.readUInt8(at++);
    if (length > 0x7f) {
      const bytes = length - 0x80;
      length = der.readUIntBE(at, bytes);
      at += bytes;
    }
    if ((tag & 0x1f) === 0x1f || at + length > der.length) throw new RangeError('not DER');
    found.push({ tag, value: der.subarray(at, at + length) });
    at += length;
  }
  return found;
};

const nth = (list: readonly Element[], index: number): Buffer => {
  const element = list.at(index);
  if (!element) throw new RangeError('not DER');
  return element.value;
};

const hex = (bytes: Buffer): string => bytes.toString('hex');

/** UTF8String, PrintableString, IA5String; in the other string types the same bytes say something else. */
const plainStrings: readonly number[] = [0x0c, 0x13, 0x16];

/** @throws whatever is wrong with it. */
const parse = (pem: string): PresentedCertificate => {
  const x509 = new X509Certificate(pem);
  const fields = elements(nth(elements(nth(elements(x509.raw), 0)), 0));
  if (fields[0]?.tag === 0xa0) fields.shift();

  const serial = nth(fields, 0);
  const serial_number = hex(serial).replace(/^(00)+/, '');
  const notAfter = Date.parse(x509.validTo);
  if (serial.readUInt8(0) > 0x7f || !/^.{2,40}$/.test(serial_number) || Number.isNaN(notAfter))
    throw new RangeError('no certificate of ours');

  const commonNames: string[] = [];
  for (const rdn of elements(nth(fields, 4)))
    for (const attribute of elements(rdn.value)) {
      const [type, name] = elements(attribute.value);
      if (type && name && hex(type.value) === '550403')
        commonNames.push(plainStrings.includes(name.tag) ? name.value.toString() : '');
    }

  const [commonName = ''] = commonNames.length === 1 ? commonNames : [];

  const names: Element[] = [];
  let clientAuth = false;
  let ca = false;
  for (const field of fields)
    if (field.tag === 0xa3)
      for (const extension of elements(nth(elements(field.value), 0))) {
        const parts = elements(extension.value);
        const id = hex(nth(parts, 0));
        if (!['551d11', '551d13', '551d25'].includes(id)) continue;
        const content = elements(nth(elements(nth(parts, -1)), 0));
        if (id === '551d11') names.push(...content);
        else if (id === '551d13') ca ||= content[0]?.tag === 1 && content[0].value.readUInt8(0) !== 0;
        else clientAuth ||= content.some(({ value }) => hex(value) === '2b06010505070302');
      }

  const [name] = names;
  return {
    serial_number,
    fingerprint: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
    commonName: /^.{1,64}$/su.test(commonName) ? commonName : undefined,
    uri: names.length === 1 && name?.tag === 0x86 ? name.value.toString('latin1') : undefined,
    clientAuth,
    ca,
    notAfter,
  };
};

/** What PEM says; undefined for anything that is not one readable certificate with a serial number we could have given. */
export const parseCertificate = (pem: string): PresentedCertificate | undefined => {
  try {
    return pem.length > longestPem ? undefined : parse(pem);
  } catch {
    return undefined;
  }
};

/**
 * Parses each PEM once. What is remembered by its SHA-256 is a function of the PEM alone and so cannot go stale; at most
 * `capacity` are kept, the oldest goes first. `remembered` tells whether this one was parsed before.
 */
export const rememberCertificates = (capacity = 1_000) => {
  const known = new Map<string, PresentedCertificate>();
  return (pem: string): { certificate: PresentedCertificate | undefined; remembered: boolean } => {
    const key = hash('sha256', pem, 'base64');
    const before = known.get(key);
    if (before) return { certificate: before, remembered: true };
    const certificate = parseCertificate(pem);
    if (certificate) {
      const [oldest] = known.size < capacity ? [] : known.keys();
      if (oldest !== undefined) known.delete(oldest);
      known.set(key, certificate);
    }
    return { certificate, remembered: false };
  };
};
