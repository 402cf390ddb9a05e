/** A real TLS server that asks for a client certificate and answers what a test tells it to. */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { makeKey, writeKey } from '../../src/authority/make-csr.ts';
import type { Authority } from './authority.ts';

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** The CN of the client certificate. */
  readonly caller: string;
  readonly serial_number: string;
}
export interface Reply {
  readonly status?: number;
  readonly body: unknown;
}

export interface TestServer {
  readonly url: string;
  readonly asked: Asked[];
  answer: (asked: Asked) => Reply | Promise<Reply>;
  readonly close: () => Promise<void>;
}

/**
 * Its own certificate is from `serverCa`, for 127.0.0.1 unless `names` says otherwise; clients must come from `clientCa`,
 * or are refused at TLS. With `lenient` they get an answer, as from API Gateway.
 */
export const startServer = async (
  serverCa: Authority,
  clientCa: Authority,
  { lenient = false, ...wish }: { names?: string[]; days?: number; lenient?: boolean } = {},
): Promise<TestServer> => {
  const key = makeKey();
  const certificate = await serverCa.issue(key, 'CN=server', { names: ['127.0.0.1'], ...wish });
  const tls = {
    key: writeKey(key),
    cert: certificate.pem,
    ca: clientCa.pem,
    requestCert: true,
    rejectUnauthorized: !lenient,
  };
  const asked: Asked[] = [];
  const server: Server = createServer(tls, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const peer = (request.socket as TLSSocket).getPeerCertificate();
      const { method = '', url = '', headers } = request;
      const one: Asked = {
        method,
        url,
        headers,
        body: Buffer.concat(chunks).toString('utf8'),
        caller: String(peer.subject.CN),
        serial_number: peer.serialNumber.toLowerCase(),
      };
      asked.push(one);
      const { status = 200, body } = await test.answer(one);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const test: TestServer = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer: () => ({ status: 404, body: { detail: 'nothing here' } }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return test;
};
