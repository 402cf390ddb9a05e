/** One request of the agent's over TLS, and its answer; nothing is held open afterwards. */
import { Agent, request } from 'node:https';
import { createSecureContext } from 'node:tls';
import { z } from 'zod';
import { clean } from '../access/reason.ts';
import { onAbort } from './pause.ts';
import { parseRetryAfter } from './wait.ts';

/** ms: API Gateway itself gives up after 29 s. */
const usualTimeout = 35_000;
/** Bytes. */
const largestAnswer = 8_000_000;

export interface Peer {
  readonly server: URL;
  /** What verifies it, and who asks; it keeps no connection. */
  readonly tls: Agent;
}

export interface Trust {
  /** PEM; undefined: the system's own roots. */
  readonly ca: string | undefined;
  /** PEM; absent where the agent has no identity yet. */
  readonly client?: { readonly cert: string; readonly key: string };
}

/** Costly, in time and in memory that is only given back much later: made once for an identity. @throws what OpenSSL says */
export const trusting = ({ ca, client }: Trust): Agent => {
  const secureContext = createSecureContext({ ...client, ...(ca === undefined ? {} : { ca }), minVersion: 'TLSv1.2' });
  return new Agent({ secureContext, keepAlive: false, maxCachedSessions: 0 });
};

export interface Reply {
  readonly status: number;
  /** Parsed JSON; undefined where it was none. */
  readonly content: unknown;
  /** Asked for by the server, ms. */
  readonly retry_after_ms: number | null;
}

class TimedOut extends Error {
  readonly code = 'ETIMEDOUT';
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const refusalSchema = z.object({
  detail: z.string().optional(),
  message: z.string().optional(),
  title: z.string().optional(),
});

/** What the server says of a refusal, on one line. */
export const refusalOf = ({ status, content }: Reply): string => {
  const said = refusalSchema.safeParse(content).data;
  return `${status} ${clean(said?.detail ?? said?.message ?? said?.title ?? 'without a reason')}`;
};

export interface Sent {
  readonly method: 'POST' | 'PATCH';
  /** Segments are escaped. */
  readonly path: readonly string[];
  readonly query?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @throws what node:https says when there is no answer */
export const send = (
  { server, tls }: Peer,
  { method, path, query = '', headers, body }: Sent,
  { timeout_ms = usualTimeout, stopping }: { timeout_ms?: number; stopping?: AbortSignal | undefined },
): Promise<Reply> => {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        agent: tls,
        host: server.hostname.replace(/^\[|\]$/g, ''),
        port: server.port || 443,
        method,
        path: `${server.pathname.replace(/\/+$/, '')}/${path.map(encodeURIComponent).join('/')}${query}`,
        headers: {
          accept: 'application/json',
          'user-agent': 'everleaf-agent',
          'content-length': Buffer.byteLength(body),
          ...headers,
        },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > largestAnswer) outgoing.destroy(new Error('its answer is too large'));
          else chunks.push(chunk);
        });
        incoming.on('error', reject);
        incoming.on('end', () => {
          resolve({
            status: incoming.statusCode ?? 0,
            content: parseJson(Buffer.concat(chunks).toString('utf8')),
            retry_after_ms: parseRetryAfter(incoming.headers['retry-after'], Date.now()),
          });
        });
      },
    );
    outgoing.on('error', reject);
    const late = setTimeout(() => outgoing.destroy(new TimedOut()), timeout_ms);
    const forget = stopping === undefined ? undefined : onAbort(stopping, () => outgoing.destroy(new Error('stopped')));
    outgoing.on('close', () => {
      clearTimeout(late);
      forget?.();
      reject(new Error('it closed the connection'));
    });
    outgoing.end(body);
  });
};

/** A change through the API. @throws what node:https says when there is no answer */
export const post = (peer: Peer, path: readonly string[], content: unknown, stopping?: AbortSignal): Promise<Reply> => {
  const headers = { 'content-type': 'application/json' };
  return send(peer, { method: 'POST', path, headers, body: JSON.stringify(content) }, { stopping });
};
