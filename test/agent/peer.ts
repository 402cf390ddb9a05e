/**
 * Plays the server's side of the agent protocol over real mutual TLS: as it should, or as a test tells it to misbehave.
 * What the agent sends is held to the server's own schemas.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { makeKey, writeKey } from '../../src/authority/make-csr.ts';
import { parseAnswer } from '../../src/renewal/answer.ts';
import { heartbeatSchema } from '../../src/renewal/heartbeat.ts';
import { taskKinds } from '../../src/renewal/task.ts';
import type { Authority } from '../cli/authority.ts';

export type Content = Readonly<Record<string, unknown>>;
export interface Asked {
  readonly path: string;
  readonly body: Content;
  /** CN of the client certificate; '' without one. */
  readonly caller: string;
  readonly serial_number: string;
  readonly at: number;
}
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Peer {
  readonly url: string;
  readonly asked: Asked[];
  /** Tasks handed out with each heartbeat until they are answered. */
  readonly tasks: Content[];
  /** By task: each answer that arrived, in order. */
  readonly answers: Map<string, Content[]>;
  poll_after_seconds: number;
  /** What it was sent that a server does not take. */
  defect: unknown;
  /** What its clock says beyond the real one, ms. */
  ahead: number;
  /** Answers a request instead of the protocol; 'lost' ends the connection after the request was taken. */
  weather: (asked: Asked) => Reply | 'lost' | null;
  /** Answers POST /api/v1/certificates/renew and /enroll. */
  certify: (asked: Asked) => Reply | Promise<Reply>;
  readonly hand: (task: Content) => void;
  readonly heartbeats: () => Asked[];
  readonly close: () => Promise<void>;
}

const tasksPath = '/api/v1/identity/agents/tasks/';

const read = (request: IncomingMessage): Promise<string> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });

/** Its own certificate is from `ca`, as clients' must be; with `open` it takes clients without one, as for enrolling. */
export const startPeer = async (ca: Authority, { open = false } = {}): Promise<Peer> => {
  const key = makeKey();
  const { pem } = await ca.issue(key, 'CN=server', { names: ['127.0.0.1'] });
  const server = createServer({ key: writeKey(key), cert: pem, ca: ca.pem, requestCert: !open });

  const protocol = async (asked: Asked): Promise<Reply> => {
    const { path, body } = asked;
    if (path === '/api/v1/identity/agents/heartbeat') {
      heartbeatSchema.parse(body);
      const { poll_after_seconds, ahead, tasks } = peer;
      return { body: { tasks: [...tasks], poll_after_seconds, now: Date.now() + ahead } };
    }
    if (path.startsWith(tasksPath)) {
      const task_id = decodeURIComponent(path.slice(tasksPath.length));
      const before = peer.answers.get(task_id);
      const open = peer.tasks.findIndex((task) => task?.task_id === task_id);
      if (before === undefined && open < 0) return { status: 404, body: { detail: 'no such task' } };
      const kind = taskKinds.find((one) => one === peer.tasks[open]?.kind);
      if (kind !== undefined) parseAnswer(kind, body);
      peer.answers.set(task_id, [...(before ?? []), body]);
      if (open >= 0) peer.tasks.splice(open, 1);
      const other = before !== undefined && JSON.stringify(before[0]) !== JSON.stringify(body);
      return other
        ? { status: 409, body: { detail: 'answered otherwise before' } }
        : { body: { task_id, accepted: true } };
    }
    return peer.certify(asked);
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const text = await read(request);
    const found = (request.socket as TLSSocket).getPeerCertificate();
    const asked: Asked = {
      path: request.url ?? '',
      body: JSON.parse(text === '' ? '{}' : text) as Content,
      caller: String(found?.subject?.CN ?? ''),
      serial_number: String(found?.serialNumber ?? '').toLowerCase(),
      at: Date.now(),
    };
    peer.asked.push(asked);
    const weather = peer.weather(asked);
    const reply = weather === null || weather === 'lost' ? await protocol(asked) : weather;
    if (weather === 'lost') return request.socket.destroy();
    const { status = 200, headers = {}, body = {} } = reply;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  server.on('request', (request, response) => {
    answer(request, response).catch((error: unknown) => {
      // The agent says something that the server would not take: the test ends with it.
      peer.defect ??= error;
      response.writeHead(400).end('{}');
    });
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const peer: Peer = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    tasks: [],
    answers: new Map(),
    poll_after_seconds: 900,
    ahead: 0,
    defect: undefined,
    weather: () => null,
    certify: () => ({ status: 404, body: { detail: 'nothing here' } }),
    hand: (task) => void peer.tasks.push({ expires_at: Date.now() + 3_600_000, ...task }),
    heartbeats: () => peer.asked.filter(({ path }) => path.endsWith('/heartbeat')),
    close: () =>
      new Promise((resolve, reject) => {
        server.closeAllConnections();
        server.close(() => (peer.defect === undefined ? resolve() : reject(peer.defect)));
      }),
  };
  return peer;
};
