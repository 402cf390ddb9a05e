/** The TLS server in front: asks every client for its certificate and refuses before any authorizer what it cannot trace. */
import { constants, randomUUID, type X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import type { Answer } from './answers.ts';
import { type Handle, mostBodyBytes } from './handle.ts';
import { isTrusted, readTruststore } from './trust.ts';

/** What the domain shows and whom it trusts; may be replaced while connections live. */
export interface DomainFiles {
  /** PEM: certificate, then its chain. */
  readonly certificate: string;
  readonly key: string;
  readonly truststore: string;
}

export interface TlsFront {
  readonly port: number;
  /** New connections see these; those that live keep what they were opened with. */
  readonly use: (files: DomainFiles) => void;
  readonly stop: () => Promise<void>;
}

/** Request line and headers together, in bytes. */
const mostHeaderBytes = 10_240;
const handshakeTimeoutMs = 10_000;

const forbidden: Answer = {
  status: 403,
  headers: { 'Content-Type': 'application/json', 'x-amzn-ErrorType': 'ForbiddenException' },
  body: '{"message":"Forbidden"}',
};

interface Opened {
  readonly certificate: X509Certificate;
  readonly trusted: boolean;
}

const contextOf = ({ certificate, key, truststore }: DomainFiles): SecureContext =>
  createSecureContext({
    cert: certificate,
    key,
    ca: readTruststore(truststore).authorities.map((authority) => authority.toString()),
    minVersion: 'TLSv1.2',
    // A resumed session would bring a certificate that nobody looked at again.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });

/** Starts listening on 127.0.0.1; `port` 0 lets the system choose. */
export const startTlsFront = async (
  port: number,
  files: DomainFiles,
  makeHandle: (port: number) => Handle,
): Promise<TlsFront> => {
  let context = contextOf(files);
  let { authorities } = readTruststore(files.truststore);
  const opened = new WeakMap<object, Opened>();
  const sockets = new Set<Socket>();
  let handle: Handle | undefined;

  const http = createServer({ maxHeaderSize: mostHeaderBytes, keepAlive: true, noDelay: true }, (request, response) => {
    serve(request, response, opened.get(request.socket), handle).catch((error: unknown) => {
      process.stderr.write(`gateway: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      response.destroy();
    });
  });
  http.keepAliveTimeout = 60_000;

  const tcp = createTcpServer({ noDelay: true }, (raw) => {
    sockets.add(raw);
    raw.on('close', () => sockets.delete(raw));
    raw.on('error', () => raw.destroy());
    // Without a certificate the handshake itself fails; what is wrong with one is answered over HTTP, as API Gateway does.
    const secure = new TLSSocket(raw, {
      isServer: true,
      secureContext: context,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['http/1.1'],
    });
    const anchors = authorities;
    const late = setTimeout(() => raw.destroy(), handshakeTimeoutMs);
    raw.on('close', () => clearTimeout(late));
    secure.on('error', () => raw.destroy());
    secure.on('_tlsError', () => raw.destroy());
    secure.once('secure', () => {
      clearTimeout(late);
      const presented = presentedBy(secure);
      const [certificate] = presented;
      if (!certificate) return raw.destroy();
      opened.set(secure, { certificate, trusted: isTrusted(presented, anchors, Date.now()) });
      http.emit('connection', secure);
    });
  });

  await new Promise<void>((resolve, reject) => {
    tcp.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`port ${port} on 127.0.0.1 is taken: choose another with --port`)
          : error,
      ),
    );
    tcp.listen(port, '127.0.0.1', resolve);
  });
  const address = tcp.address() as AddressInfo;
  handle = makeHandle(address.port);
  return {
    port: address.port,
    use: (next) => {
      const made = contextOf(next);
      ({ authorities } = readTruststore(next.truststore));
      context = made;
    },
    stop: () =>
      new Promise((resolve) => {
        tcp.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
};

/** The client's certificate and what it sent with it, in the order of signing. */
const presentedBy = (socket: TLSSocket): X509Certificate[] => {
  const chain: X509Certificate[] = [];
  let next = socket.getPeerX509Certificate();
  while (next && !chain.some((seen) => seen.fingerprint256 === next?.fingerprint256)) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
};

const bodyOf = (request: IncomingMessage): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= mostBodyBytes) return;
      request.removeAllListeners('data');
      request.resume();
      resolve(Buffer.concat(chunks));
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('aborted', () => reject(new Error('aborted')));
  });

const serve = async (
  request: IncomingMessage,
  response: ServerResponse,
  opened: Opened | undefined,
  handle: Handle | undefined,
): Promise<void> => {
  const receivedAt = Date.now();
  response.sendDate = true;
  if (!opened || !handle) return void response.destroy();
  let body: Buffer;
  try {
    body = opened.trusted ? await bodyOf(request) : Buffer.alloc(0);
  } catch {
    return void response.destroy();
  }
  const target = request.url ?? '/';
  const at = target.indexOf('?');
  const answer = opened.trusted
    ? await handle({
        id: randomUUID(),
        httpMethod: request.method ?? 'GET',
        path: at < 0 ? target : target.slice(0, at),
        query: at < 0 ? '' : target.slice(at + 1),
        rawHeaders: request.rawHeaders,
        body,
        sourceIp: request.socket.remoteAddress ?? '127.0.0.1',
        receivedAt,
        certificate: opened.certificate,
      })
    : forbidden;
  if (!opened.trusted) request.resume();
  if (body.length > mostBodyBytes) response.shouldKeepAlive = false;
  const bytes = Buffer.from(answer.body);
  for (const [name, value] of Object.entries(answer.headers)) {
    if (!/^(content-length|transfer-encoding|connection)$/i.test(name)) response.setHeader(name, value);
  }
  response.statusCode = answer.status;
  response.setHeader('Content-Length', bytes.length);
  response.end(request.method === 'HEAD' ? undefined : bytes);
};
