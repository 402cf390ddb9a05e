/** One request to the server over mutual TLS, and its answer or the line that says why not. */
import { request as httpsRequest } from 'node:https';
import { z } from 'zod';
import { explainCertificate, explainConnection } from './connection.ts';
import { Misuse, Refused } from './failure.ts';
import { readText } from './files.ts';
import { type Identity, readIdentity } from './identity.ts';
import { readSettings, type ServerOptions, type Settings } from './settings.ts';
import { type Terminal, withProgress } from './terminal.ts';

/** ms: API Gateway itself gives up after 29 s. */
const timeout = 35_000;
/** Bytes; a page of certificates is far below. */
const largestAnswer = 8_000_000;
/** Reads are repeated when the server says "not now", after these waits (ms). */
const waits = [500, 1_500];

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Segments are escaped. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: Readonly<Record<string, unknown>>;
}

export interface Server {
  readonly identity: Identity;
  /** PEM of what verifies the server; undefined: the system's own roots. */
  readonly ca: string | undefined;
  /** Sends a call and parses what it answers. @throws Misuse (400), Refused (any other refusal). */
  readonly send: <T>(schema: z.ZodType<T>, call: Call) => Promise<T>;
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

const exchange = (settings: Settings, tls: { ca?: string; cert: string; key: string }, call: Call): Promise<Reply> => {
  const { server } = settings;
  const base = server.pathname.replace(/\/+$/, '');
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(call.query ?? {})) if (value !== undefined) query.set(name, value);
  const path = `${base}/${call.path.map(encodeURIComponent).join('/')}${query.size > 0 ? `?${query}` : ''}`;
  const body = call.method === 'GET' ? null : JSON.stringify(call.body ?? {});
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(
      {
        ...tls,
        host: server.hostname.replace(/^\[|\]$/g, ''),
        port: server.port || 443,
        method: call.method,
        path,
        agent: false,
        minVersion: 'TLSv1.2',
        signal: AbortSignal.timeout(timeout),
        headers: {
          accept: 'application/json',
          'user-agent': 'everleaf',
          ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > largestAnswer) outgoing.destroy(new Error('its answer is too large'));
          chunks.push(chunk);
        });
        incoming.on('error', reject);
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body ?? undefined);
  });
};

const refusalSchema = z.object({
  detail: z.string().optional(),
  message: z.string().optional(),
  title: z.string().optional(),
});

export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** API Gateway's own answer to a client certificate that its truststore does not verify; the gate and the routes say more. */
const turnedAway = ({ status, text }: Reply): boolean => {
  const said = refusalSchema.safeParse(parseJson(text)).data;
  return status === 403 && said?.detail === undefined && (said?.message ?? said?.title) === 'Forbidden';
};

const refusalOf = ({ status, text }: Reply): Misuse | Refused => {
  const said = refusalSchema.safeParse(parseJson(text)).data;
  const line = said?.detail ?? said?.message ?? said?.title ?? 'the server refused without a reason';
  return status === 400
    ? new Misuse(line)
    : new Refused(`${line}${(said?.detail ?? said?.message) ? '' : ` (${status})`}`);
};

/** A page of a list, its rows under one name whatever the list's own is. */
interface Page<T> {
  readonly rows: readonly T[];
  readonly next_token?: string | undefined;
}
/** Rows asked for at once. */
const largestPage = 200;

/** Every page, or as many rows as asked for. @throws as `send` */
export const readPages = async <T>(
  { send }: Server,
  page: z.ZodType<Page<T>>,
  { path, query, most }: Pick<Call, 'path' | 'query'> & { readonly most: number },
): Promise<T[]> => {
  const found: T[] = [];
  let next_token: string | undefined;
  do {
    const limit = String(Math.min(largestPage, most - found.length));
    const { rows, ...next } = await send(page, { method: 'GET', path, query: { ...query, limit, next_token } });
    found.push(...rows);
    next_token = next.next_token;
  } while (next_token !== undefined && found.length < most);
  return found.slice(0, most);
};

/** Reads who we are and where the server is. @throws Misuse naming the option. */
export const connect = async (terminal: Terminal, options: ServerOptions): Promise<Server> => {
  const settings = readSettings(terminal, options);
  const ca = settings.cacert === null ? undefined : readText(settings.cacert, '--cacert');
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----'))
    throw new Misuse(`--cacert: ${settings.cacert} holds no certificate in PEM form`);
  const files = { cert: settings.clientCert, key: settings.clientKey };
  const identity = await readIdentity(terminal, files, options.passphraseFile);
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    cert: identity.certificatePem,
    key: identity.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };

  const attempt = async (call: Call): Promise<Reply> => {
    try {
      return await exchange(settings, tls, call);
    } catch (error) {
      throw explainConnection(error, settings, identity);
    }
  };
  const send = async <T>(schema: z.ZodType<T>, call: Call): Promise<T> => {
    const work = async () => {
      let reply = await attempt(call);
      for (const wait of call.method === 'GET' ? waits : []) {
        if (reply.status !== 503) break;
        await new Promise((resolve) => setTimeout(resolve, wait));
        reply = await attempt(call);
      }
      return reply;
    };
    const reply = await withProgress(terminal, `asking ${settings.server.host}`, work());
    if (turnedAway(reply)) throw explainCertificate(settings, identity);
    if (reply.status < 200 || reply.status > 299) throw refusalOf(reply);
    const parsed = schema.safeParse(parseJson(reply.text));
    if (!parsed.success)
      throw new Refused(`${settings.server.origin} answered something else; is it an Everleaf server?`);
    return parsed.data;
  };
  return { identity, ca, send };
};
