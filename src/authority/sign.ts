/** Signs the authority's certificates. It takes the public key from a request, and everything else from its profile. */
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { day_ms, longestLifetime_days, serverLifetime_days } from '../certificate/lifetime.ts';
import { newSerial } from '../certificate/serial.ts';
import { InvalidInput } from '../errors.ts';
import type { Deployment } from '../names.ts';
import { type AuthorityKey, cryptoSigningWith, namedKey, signatureHash } from './authority-key.ts';
import { readCsr } from './csr.ts';
import { checkRequest } from './csr-request.ts';
import { readDer } from './der.ts';
import { clientProfile, type Expected, endpointProfile, type Name, serverProfile } from './profile.ts';
import { findRoot } from './root.ts';
import type { LeafRequest, RootRequest, Signed, SignedRoot } from './sign-request.ts';

export interface Signer {
  readonly deployment: Deployment;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly key: AuthorityKey;
  /** The trust bundle (PEM) in which the key's own root is looked up. */
  readonly readBundle: () => Promise<string>;
}

const rootLifetime_days = 3650;
/** How far `not_before_ms` may lie from the signer's clock, and how much of it does not count as lifetime. */
const tolerance_ms = 10 * 60_000;

/** RFC 5280 4.2.1.2, method 1: SHA-1 over the key's bits. Lower-case hex. */
const keyIdentifier = (spki: Uint8Array): string =>
  createHash('sha1')
    .update(readDer(spki).children[1]?.content.subarray(1) ?? new Uint8Array())
    .digest('hex');

/** The self-signed root: `CN={name} {environment} CA, O={name}`, no certificate authority below it, ten years. */
export const signRoot = async (signer: Signer, _request: RootRequest): Promise<SignedRoot> => {
  const { name, environment } = signer.deployment;
  const now = signer.now();
  const subject = [{ CN: [`${name} ${environment} CA`] }, { O: [name] }];
  const certificate = await generate(signer, {
    serialNumber: newSerial(now, signer.randomBytes),
    subject,
    issuer: subject,
    notBefore: new Date(now - tolerance_ms),
    notAfter: new Date(now + rootLifetime_days * day_ms),
    publicKey: signer.key.spki,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.SubjectKeyIdentifierExtension(keyIdentifier(signer.key.spki)),
    ],
  });
  return { pem: certificate };
};

/**
 * The certificate of a client, of the API's server or of an endpoint. The request is checked again here, whoever checked it before. It never lasts
 * longer than the root. @throws InvalidInput naming the field; Unavailable when the key has no root.
 */
export const signLeaf = async (signer: Signer, request: LeafRequest): Promise<Signed> => {
  const { expected, longest_days } = profileOf(signer.deployment, request);
  const csr = readCsr(request.csr);
  checkRequest(csr, expected);
  checkTimes(request, longest_days, signer.now());
  const root = findRoot(await signer.readBundle(), signer.key.spki, signer.now());
  const issuer = new x509.X509Certificate(root.pem);
  const authority = keyIdentifier(signer.key.spki);
  const pem = await generate(signer, {
    serialNumber: request.serial_number,
    subject: [{ CN: [expected.common_name] }],
    issuer: issuer.subjectName,
    notBefore: new Date(request.not_before_ms),
    notAfter: new Date(Math.min(request.not_after_ms, root.not_after_ms)),
    publicKey: csr.key.spki,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(expected.usages.map((usage) => x509.ExtendedKeyUsage[usage])),
      new x509.SubjectAlternativeNameExtension(
        expected.names.map(({ kind, value }) => ({ type: nameTypes[kind], value })),
      ),
      new x509.SubjectKeyIdentifierExtension(keyIdentifier(csr.key.spki)),
      new x509.AuthorityKeyIdentifierExtension(authority),
    ],
  });
  return { pem, chain: root.pem, authority };
};

/** As the library calls them. */
const nameTypes = { uri: 'url', dns: 'dns', ip: 'ip' } as const satisfies Record<Name['kind'], string>;

const profileOf = (deployment: Deployment, request: LeafRequest): { expected: Expected; longest_days: number } => {
  switch (request.profile) {
    case 'client':
      return { expected: clientProfile(deployment, request), longest_days: longestLifetime_days };
    case 'server':
      return { expected: serverProfile(request), longest_days: serverLifetime_days };
    case 'endpoint':
      return { expected: endpointProfile(request), longest_days: longestLifetime_days };
  }
};

const checkTimes = (request: LeafRequest, longest_days: number, now: number): void => {
  const { not_before_ms, not_after_ms } = request;
  if (Math.abs(not_before_ms - now) > tolerance_ms) throw new InvalidInput('not_before_ms', 'is not about now');
  if (not_after_ms <= Math.max(now, not_before_ms)) throw new InvalidInput('not_after_ms', 'is over already');
  if (not_after_ms - not_before_ms > longest_days * day_ms + tolerance_ms)
    throw new InvalidInput('not_after_ms', `is more than ${longest_days} days away`);
};

type Unsigned = Omit<x509.X509CertificateCreateWithKeyParams, 'signingKey' | 'signingAlgorithm'>;

const generate = async ({ key }: Signer, certificate: Unsigned): Promise<string> => {
  const signed = await x509.X509CertificateGenerator.create(
    {
      ...certificate,
      signingKey: namedKey(key),
      signingAlgorithm: { name: 'ECDSA', hash: signatureHash[key.curve] },
    },
    cryptoSigningWith(key),
  );
  return `${signed.toString('pem').trim()}\n`;
};
