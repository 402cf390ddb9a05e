/** A small CA for the command line's tests: roots, server and client certificates, and certificates for CSRs. */
import { createPublicKey, type KeyObject, webcrypto } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { makeKey } from '../../src/authority/make-csr.ts';

const { subtle } = webcrypto;
const p256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface Authority {
  readonly pem: string;
  /** A certificate for the public key of a CSR. */
  readonly certify: (csr: string, subject: string, wish?: Wish) => Promise<Issued>;
  /** A certificate for a key. */
  readonly issue: (key: KeyObject, subject: string, wish?: Wish) => Promise<Issued>;
  /** A CA below this one. */
  readonly delegate: (subject: string) => Promise<Authority>;
}
export interface Issued {
  readonly pem: string;
  readonly serial_number: string;
  readonly expires_at: number;
}
export interface Wish {
  readonly days?: number;
  readonly names?: readonly string[];
}

let serials = 0x01f0;

const importPrivate = (key: KeyObject): Promise<webcrypto.CryptoKey> =>
  subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), p256, true, ['sign']);

const publicOf = (key: KeyObject): x509.PublicKey =>
  new x509.PublicKey(createPublicKey(key).export({ type: 'spki', format: 'der' }));

const buildAuthority = async (subject: string, key: KeyObject, issuer: string, issuerKey: KeyObject) => {
  const own = await x509.X509CertificateGenerator.create({
    serialNumber: (serials++).toString(16).padStart(4, '0'),
    subject,
    issuer,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 1e10),
    publicKey: publicOf(key),
    signingKey: await importPrivate(issuerKey),
    signingAlgorithm: p256,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return own.toString('pem');
};

const open = (pem: string, name: string, key: KeyObject): Authority => {
  const sign = async (publicKey: x509.PublicKey, subject: string, { days = 90, names = [] }: Wish = {}) => {
    const serial_number = (serials++).toString(16).padStart(4, '0');
    const expires_at = Math.floor(Date.now() / 1000) * 1000 + days * 86_400_000;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial_number,
      subject,
      issuer: name,
      notBefore: new Date(Math.min(Date.now(), expires_at) - 60_000),
      notAfter: new Date(expires_at),
      publicKey,
      signingKey: await importPrivate(key),
      signingAlgorithm: p256,
      extensions: names.length
        ? [
            new x509.SubjectAlternativeNameExtension(
              names.map((value) => ({ type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value })),
            ),
          ]
        : [],
    });
    return { pem: `${certificate.toString('pem')}\n`, serial_number, expires_at };
  };
  const authority: Authority = {
    pem: `${pem}\n`,
    certify: async (csr, subject, wish) => {
      const request = new x509.Pkcs10CertificateRequest(csr);
      if (!(await request.verify())) throw new Error('the CSR does not prove possession');
      return sign(request.publicKey, subject, wish);
    },
    issue: (leaf, subject, wish) => sign(publicOf(leaf), subject, wish),
    delegate: async (subject) => {
      const own = makeKey();
      return open(await buildAuthority(subject, own, name, key), subject, own);
    },
  };
  return authority;
};

export const makeAuthority = async (subject: string): Promise<Authority> => {
  const key = makeKey();
  return open(await buildAuthority(subject, key, subject, key), subject, key);
};
