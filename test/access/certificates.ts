/** Client certificates for the gate's tests: ours as the authority makes them, and the hostile ones that a DER can say. */
import { createHash, X509Certificate as NodeCertificate, webcrypto } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import type { Deployment } from '../../src/names.ts';

const { subtle } = webcrypto;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
export const clientAuth = '1.3.6.1.5.5.7.3.2';
export const serverAuth = '1.3.6.1.5.5.7.3.1';

export const deployment: Deployment = { name: 'airunner', environment: 'prod' };
export const principalId = 'worker-prod-01';
export const spiffe = `spiffe://airunner.prod/worker/${principalId}`;
export const serial = '0193a4b5c6d7e8f90011223344556677';

export const uri = (value: string): x509.JsonGeneralName => ({ type: 'url', value });

export interface Wish {
  readonly subject?: string | x509.JsonNameParams;
  readonly sans?: readonly x509.JsonGeneralName[];
  readonly usages?: readonly string[];
  readonly ca?: boolean;
  readonly serial?: string;
  readonly notAfter?: Date;
  /** Further extensions, after ours. */
  readonly extensions?: readonly x509.Extension[];
}

const keys = await subtle.generateKey(algorithm, true, ['sign', 'verify']);
/** Whoever may sign: the CA, or another one that the truststore holds. */
export const anotherKey = await subtle.generateKey(algorithm, true, ['sign', 'verify']);

const subjectName = (subject: string | x509.JsonNameParams): x509.Name =>
  typeof subject === 'string' ? new x509.Name(subject) : new x509.Name(subject);

/** A certificate as the authority issues it, but for what is wished otherwise. */
export const makeCertificate = async (wish: Wish = {}, signingKey = keys.privateKey): Promise<string> => {
  const sans = wish.sans ?? [uri(spiffe)];
  const usages = wish.usages ?? [clientAuth];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: wish.serial ?? serial,
    subject: subjectName(wish.subject ?? `CN=${principalId}`),
    issuer: 'CN=airunner prod CA',
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: wish.notAfter ?? new Date('2027-01-01T00:00:00Z'),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(wish.ca ?? false, undefined, true),
      ...(usages.length ? [new x509.ExtendedKeyUsageExtension([...usages])] : []),
      ...(sans.length ? [new x509.SubjectAlternativeNameExtension([...sans])] : []),
      ...(wish.extensions ?? []),
    ],
  });
  return certificate.toString('pem');
};

/** SHA-256 of the DER, computed otherwise than the gate does. */
export const fingerprintOf = (pem: string): string =>
  createHash('sha256').update(new NodeCertificate(pem).raw).digest('hex');

type Row = Record<string, unknown>;

/** Three items that let this certificate in, each attribute as DynamoDB writes it. */
export const goodRecords = (pem: string): { principal: Row; certificate: Row; generation: Row } => ({
  principal: { principal_id: { S: principalId }, status: { S: 'active' }, type: { S: 'worker' } },
  certificate: {
    serial_number: { S: serial },
    principal_id: { S: principalId },
    fingerprint: { S: fingerprintOf(pem) },
    generation: { N: '3' },
    expires_at: { N: String(Date.parse('2027-01-01T00:00:00Z')) },
    revoked: { BOOL: false },
  },
  generation: { control_id: { S: 'generation#7' }, generation: { N: '3' } },
});

/** Within the certificate's time; ms. */
export const now = Date.parse('2026-06-01T00:00:00Z');
