/** Whether what a server was seen to serve is what it should, judged from what was observed; and the observing itself. */
import { X509Certificate } from 'node:crypto';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { Conflict, NotServed } from '../errors.ts';
import type { Job } from './job.ts';
import { isAddress } from './names.ts';

/** One of a server's addresses and what it serves there. */
export interface Observed {
  readonly address: string;
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string;
  /** Whether a verifier that knows roots alone gets along with what was sent. */
  readonly chain_complete: boolean;
}

/** null: every address serves the certificate, with a complete chain. */
export const whatIsWrong = (observed: readonly Observed[], fingerprint: string): string | null => {
  const wrong = observed.flatMap((one) => {
    if (one.fingerprint !== fingerprint) return [`${one.address} serves ${one.fingerprint}`];
    return one.chain_complete ? [] : [`${one.address} serves it with an incomplete chain`];
  });
  if (observed.length === 0) return 'no address was looked at';
  return wrong.length === 0 ? null : `${fingerprint} is not served everywhere: ${wrong.join('; ')}`;
};

/** What it means that something `wrong` was seen at `now` (ms): to be looked at again, until the policy's time for it is over. */
export const notServed = (
  { history, policy }: Pick<Job, 'history' | 'policy'>,
  wrong: string,
  now: number,
): NotServed | Conflict => {
  const since = history.findLast(({ status }) => status === 'VALIDATING')?.at ?? now;
  const seconds = policy.timeouts_seconds.validate;
  return now - since < seconds * 1_000 ? new NotServed(wrong) : new Conflict(`${wrong}; ${seconds} s are over`);
};

/** A chain is not longer than this. */
const deepest = 10;
/** ms */
const dialTimeout = 10_000;

const fingerprintOf = (certificate: X509Certificate): string =>
  certificate.fingerprint256.replaceAll(':', '').toLowerCase();

const issued = (issuer: X509Certificate, subject: X509Certificate): boolean =>
  subject.checkIssued(issuer) && subject.verify(issuer.publicKey);

/**
 * Whether each certificate of what was sent is issued by the next, and the last one is a root of `known`, is issued by
 * one, or is the last of those that the CA gave out with the certificate.
 */
export const isComplete = (sent: readonly X509Certificate[], known: readonly X509Certificate[]): boolean => {
  const last = sent.at(-1);
  if (last === undefined || sent.length > deepest) return false;
  const linked = sent.slice(1).every((issuer, index) => {
    const subject = sent[index];
    return subject !== undefined && issued(issuer, subject);
  });
  if (!linked) return false;
  const end = known.at(-1);
  if (end !== undefined && fingerprintOf(end) === fingerprintOf(last)) return true;
  return known.some((root) => issued(root, root) && issued(root, last));
};

/** What the server sent: its own certificate first, then each one's issuer as far as it sent them. */
const sentBy = (peer: DetailedPeerCertificate): X509Certificate[] => {
  const sent: X509Certificate[] = [];
  let one: DetailedPeerCertificate | undefined = peer;
  while (one?.raw !== undefined && sent.length <= deepest) {
    sent.push(new X509Certificate(one.raw));
    one = one.issuerCertificate === one ? undefined : one.issuerCertificate;
  }
  return sent;
};

export interface Dialled {
  readonly address: string;
  readonly port: number;
  /** Asked for by SNI where it is a name. */
  readonly server_name: string;
}

/**
 * What a server sends at one address, as any client may see it; nothing is said there but hello. Without any CA of our
 * own, so that the chain is what the server sent and nothing that this machine adds. @throws Error when it serves nothing
 */
export const dial = ({ address, port, server_name }: Dialled): Promise<X509Certificate[]> =>
  new Promise((resolve, reject) => {
    const socket = connect({
      host: address,
      port,
      ca: [],
      rejectUnauthorized: false,
      ...(isAddress(server_name) ? {} : { servername: server_name }),
    });
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), dialTimeout);
    socket.once('secureConnect', () => {
      const sent = sentBy(socket.getPeerCertificate(true));
      socket.end();
      if (sent.length === 0) reject(new Error('it serves no certificate'));
      else resolve(sent);
    });
    socket.once('error', (error) => {
      socket.destroy();
      reject(error);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      reject(new Error('it closed the connection'));
    });
  });

/** What is served there, judged by the chain that came with the certificate. @throws Error when nothing is */
export const observe = async (dialled: Dialled, known: readonly X509Certificate[]): Promise<Observed> => {
  const sent = await dial(dialled);
  const [leaf] = sent;
  return {
    address: dialled.address,
    fingerprint: leaf === undefined ? '' : fingerprintOf(leaf),
    chain_complete: isComplete(sent, known),
  };
};
