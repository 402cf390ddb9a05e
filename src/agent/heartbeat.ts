/** One heartbeat: what stands where, and what is to be done. */
import { explainCertificate, explainConnection } from '../cli/connection.ts';
import { Misuse, Refused } from '../cli/failure.ts';
import type { Identity } from '../cli/identity.ts';
import { messageOf } from './failed.ts';
import { peerOf } from './own-certificate.ts';
import { post, type Reply, refusalOf } from './post.ts';
import { heartbeatSchema } from './protocol.ts';
import { agentsPath, type Running, settingsOf } from './running.ts';
import { takeTask } from './tasks.ts';
import { deployed } from './versions.ts';

/** What consumers get to read, by the files themselves. */
const standing = ({ config, complaints }: Running) =>
  [...config.endpoints.values()].map((endpoint) => {
    const { endpoint_id } = endpoint;
    const about = `endpoint ${endpoint_id} cannot be read`;
    try {
      const found = { endpoint_id, ...deployed(endpoint) };
      complaints.settle(about);
      return found;
    } catch (error) {
      complaints.complain(about, messageOf(error));
      return { endpoint_id, fingerprint: null, not_after: null };
    }
  });

/** API Gateway's own answer to a certificate that its truststore does not verify; the gate and the routes say more. */
const turnedAway = (reply: Reply): boolean => refusalOf(reply) === '403 Forbidden';

export type Heard =
  | { readonly kind: 'taken'; readonly poll_after_seconds: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly retry_after_ms: number | null };

/** Sends it and begins the tasks that come back. Whatever goes wrong is an answer; the identity stays as it is. */
export const heartbeat = async (running: Running, identity: Identity): Promise<Heard> => {
  const { config, version, clock, stopping } = running;
  try {
    const peer = peerOf(config, identity);
    const body = { version, now: running.now(), endpoints: standing(running) };
    const sent = running.now();
    const reply = await post(peer, [...agentsPath, 'heartbeat'], body, stopping);
    const received = running.now();
    if (reply.status < 200 || reply.status > 299) {
      const certificate = turnedAway(reply) ? explainCertificate(settingsOf(config, identity), identity).message : null;
      return { kind: 'failed', reason: certificate ?? refusalOf(reply), retry_after_ms: reply.retry_after_ms };
    }
    const heard = heartbeatSchema.safeParse(reply.content);
    if (!heard.success) throw new Refused(`${config.server.origin} answered something else; is it an Everleaf server?`);
    clock.compare(heard.data.now, { sent, received });
    for (const raw of heard.data.tasks) takeTask(running, peer, raw);
    return { kind: 'taken', poll_after_seconds: heard.data.poll_after_seconds };
  } catch (error) {
    const known = error instanceof Refused || error instanceof Misuse;
    const { message } = known ? error : explainConnection(error, settingsOf(config, identity), identity);
    return { kind: 'failed', reason: message, retry_after_ms: null };
  }
};
