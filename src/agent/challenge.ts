/** Answers HTTP-01 challenges (RFC 8555 8.3) while there are any: nothing listens in between. */
import { createServer, type Server } from 'node:http';
import { z } from 'zod';
import type { AgentConfig } from './config.ts';
import { failed, messageOf } from './failed.ts';
import type { Answer, TaskOf } from './protocol.ts';
import { readState, type State, stateFile, writeState } from './state.ts';

const challengeSchema = z.object({ token: z.string(), key_authorization: z.string(), expires_at: z.number() });
type Challenge = z.infer<typeof challengeSchema>;

const prefix = '/.well-known/acme-challenge/';
/** At once; a node with more names than this is not ours. */
const most = 200;
/** What setTimeout takes, ms. */
const longestTimer = 2 ** 31 - 1;

export interface Challenges {
  /** Done when it is served. */
  readonly serve: (http01: AgentConfig['http01'], task: TaskOf<'serve_challenge'>) => Promise<Answer>;
  readonly clear: (token: string) => Promise<void>;
  /** Serves again what was served when an earlier run ended. */
  readonly resume: (http01: AgentConfig['http01']) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** `now` is the server's clock, ms. */
export const openChallenges = (state: State, now: () => number): Challenges => {
  const file = stateFile(state, '', 'challenges.json');
  const live = new Map<string, Challenge>(
    (readState(file, z.array(challengeSchema)) ?? []).map((challenge) => [challenge.token, challenge]),
  );
  let server: Server | null = null;
  let expiry: NodeJS.Timeout | undefined;

  const listen = (port: number, address: string | null): Promise<void> =>
    new Promise((resolve, reject) => {
      const made = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
        const [path = ''] = (request.url ?? '').split('?');
        const found = path.startsWith(prefix) ? live.get(path.slice(prefix.length)) : undefined;
        const readable = request.method === 'GET' || request.method === 'HEAD';
        const known = readable && found !== undefined && found.expires_at > now();
        response.writeHead(known ? 200 : 404, { 'content-type': 'application/octet-stream', connection: 'close' });
        response.end(known ? found.key_authorization : '');
      });
      made.maxConnections = 100;
      made.once('error', reject);
      made.listen({ port, ...(address === null ? {} : { host: address }) }, () => {
        made.off('error', reject);
        made.on('error', () => undefined);
        server = made;
        resolve();
      });
    });

  const close = async (): Promise<void> => {
    clearTimeout(expiry);
    const closing = server;
    server = null;
    if (closing === null) return;
    closing.closeAllConnections();
    await new Promise<void>((resolve) => closing.close(() => resolve()));
  };

  /** Drops what has expired, stops listening when nothing is left, else looks again when the next one expires. */
  const settle = async (): Promise<void> => {
    for (const { token, expires_at } of live.values()) if (expires_at <= now()) live.delete(token);
    writeState(file, [...live.values()]);
    clearTimeout(expiry);
    if (live.size === 0) return close();
    const next = Math.min(...[...live.values()].map(({ expires_at }) => expires_at)) - now();
    expiry = setTimeout(() => void settle().catch(() => undefined), Math.min(Math.max(next, 1_000), longestTimer));
  };

  return {
    serve: async (http01, { token, key_authorization, expires_at }) => {
      if (http01 === null) return failed('this node’s file has no http01: HTTP-01 challenges are not answered here');
      if (!key_authorization.startsWith(`${token}.`)) return failed('the key authorization is not of the token');
      if (live.size >= most && !live.has(token)) return failed(`${most} challenges are being answered already`);
      live.set(token, { token, key_authorization, expires_at });
      try {
        if (server === null) await listen(http01.port, http01.address);
        await settle();
      } catch (error) {
        live.delete(token);
        if (live.size === 0) await close();
        return failed(`cannot answer on port ${http01.port}: ${messageOf(error)}`);
      }
      return { status: 'done' };
    },
    clear: async (token) => {
      live.delete(token);
      await settle();
    },
    resume: async (http01) => {
      if (live.size === 0) return;
      await settle();
      if (http01 !== null && live.size > 0 && server === null) await listen(http01.port, http01.address);
    },
    close,
  };
};
