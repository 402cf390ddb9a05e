/** What the authorizers are measured with: certificates, the rows that let them in, and a loopback server that answers BatchGetItem with them. */
import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as x509 from '@peculiar/x509';
import { z } from 'zod';
import { controlKeys, type Deployment, generationCopies, tableName } from '../src/names.ts';

export const deployment: Deployment = { name: 'everleaf', environment: 'bench' };

type Row = Record<string, unknown>;

export interface Fixture {
  /** An authorizer's event for each certificate. */
  readonly events: readonly object[];
  /** What a read of each certificate's records finds. */
  readonly records: readonly { principal: Row; certificate: Row; generation: Row }[];
  /** Items by table, then by key. */
  readonly items: Readonly<Record<string, Readonly<Record<string, Row>>>>;
}

const year = 365 * 24 * 3_600_000;

/** `count` principals with a live certificate each. */
export const makeFixture = async (count: number): Promise<Fixture> => {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const now = Date.now();
  const generation = { generation: { N: '0' } };
  const principals: Record<string, Row> = {};
  const certificates: Record<string, Row> = {};
  const events: object[] = [];
  const records: Fixture['records'][number][] = [];
  for (let index = 0; index < count; index++) {
    const id = `worker-bench-${index}`;
    const serial = `0193a4b5c6d7${index.toString(16).padStart(20, '0')}`;
    const issued = await x509.X509CertificateGenerator.create({
      serialNumber: serial,
      subject: `CN=${id}`,
      issuer: 'CN=everleaf bench CA',
      notBefore: new Date(now - year),
      notAfter: new Date(now + year),
      publicKey: keys.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.2']),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://everleaf.bench/worker/${id}` }]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const principal = { principal_id: { S: id }, status: { S: 'active' }, type: { S: 'worker' } };
    const certificate = {
      serial_number: { S: serial },
      principal_id: { S: id },
      fingerprint: { S: createHash('sha256').update(Buffer.from(issued.rawData)).digest('hex') },
      generation: { N: '0' },
      expires_at: { N: String(now + year) },
      revoked: { BOOL: false },
    };
    principals[id] = principal;
    certificates[serial] = certificate;
    records.push({ principal, certificate, generation });
    events.push({
      type: 'REQUEST',
      methodArn: 'arn:aws:execute-api:us-east-1:123456789012:abcdef1234/live/GET/whoami',
      resource: '/whoami',
      path: '/whoami',
      httpMethod: 'GET',
      headers: { Host: 'everleaf.example.com', Accept: '*/*', 'User-Agent': 'curl/8.5.0' },
      requestContext: { identity: { sourceIp: '192.0.2.1', clientCert: { clientCertPem: issued.toString('pem') } } },
    });
  }
  const copies = Array.from({ length: generationCopies }, (_, copy) => controlKeys.generation(copy));
  return {
    events,
    records,
    items: {
      [tableName(deployment, 'principals')]: principals,
      [tableName(deployment, 'certificates')]: certificates,
      [tableName(deployment, 'controls')]: Object.fromEntries(
        copies.map((id) => [id, { control_id: { S: id }, ...generation }]),
      ),
    },
  };
};

const batchGet = z.object({
  RequestItems: z.record(z.string(), z.object({ Keys: z.array(z.record(z.string(), z.object({ S: z.string() }))) })),
});

export interface StandIn {
  readonly endpoint: string;
  /** Requests of whatever kind since it was last asked. */
  readonly takeRequests: () => number;
  readonly stop: () => Promise<void>;
}

/** DynamoDB as far as the gate uses it, on a loopback port. */
export const startStandIn = async ({ items }: Fixture): Promise<StandIn> => {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const asked = batchGet.safeParse(JSON.parse(Buffer.concat(chunks).toString()));
      if (!asked.success) return void response.writeHead(400).end('{"__type":"ValidationException"}');
      const found = Object.entries(asked.data.RequestItems).map(([table, { Keys }]) => [
        table,
        Keys.flatMap((key) => items[table]?.[Object.values(key)[0]?.S ?? ''] ?? []),
      ]);
      const answer = JSON.stringify({ Responses: Object.fromEntries(found), UnprocessedKeys: {} });
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0', 'content-length': answer.length });
      response.end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    takeRequests: () => {
      const taken = requests;
      requests = 0;
      return taken;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
