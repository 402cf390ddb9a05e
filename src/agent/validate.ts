/** Looks at what a server really serves: on every address that its name leads to, by SNI, as a client would. */
import { X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate, rootCertificates } from 'node:tls';
import { readCertificate } from '../cli/pair.ts';
import { issued, readCertificates } from '../cli/trust-bundle.ts';
import { failed, messageOf } from './failed.ts';
import { pause } from './pause.ts';
import type { Answer, Observed, TaskOf } from './protocol.ts';

/** ms */
const dialTimeout = 10_000;
/** A consumer that was signalled takes a moment; times that it is looked at, and the wait between, ms. */
const looks = 5;
const betweenLooks = 1_000;
const mostAddresses = 32;
/** A chain is not longer than this. */
const deepest = 10;

/** What the server sent: its own certificate first, then each one's issuer as far as it sent them. */
const sentBy = (peer: DetailedPeerCertificate): X509Certificate[] => {
  const chain: X509Certificate[] = [];
  let one: DetailedPeerCertificate | undefined = peer;
  while (one?.raw !== undefined && chain.length < deepest) {
    chain.push(new X509Certificate(one.raw));
    one = one.issuerCertificate === one ? undefined : one.issuerCertificate;
  }
  return chain;
};

/** Without any CA of our own, so that the chain is what the server sent and nothing that this machine adds. */
const dial = (address: string, port: number, server_name: string): Promise<X509Certificate[]> =>
  new Promise((resolve, reject) => {
    const socket = connect({
      host: address,
      port,
      ca: [],
      rejectUnauthorized: false,
      ...(isIP(server_name) === 0 ? { servername: server_name } : {}),
    });
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), dialTimeout);
    socket.once('secureConnect', () => {
      const chain = sentBy(socket.getPeerCertificate(true));
      socket.end();
      if (chain.length === 0) reject(new Error('it serves no certificate'));
      else resolve(chain);
    });
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(timer);
      reject(new Error('it closed the connection'));
    });
  });

/** What a chain may end at, so that a verifier that knows roots alone gets along. */
export interface Ends {
  /** Certificates of CAs that are trusted here. */
  readonly roots: readonly X509Certificate[];
  /** The last certificate of the chain that came with the endpoint's; its CA says that no more is needed. */
  readonly deployed: X509Certificate | undefined;
}

/** Whether each certificate is issued by the next, and the last is a root, is issued by one, or ends what the CA sent. */
export const isComplete = (chain: readonly X509Certificate[], { roots, deployed }: Ends): boolean => {
  const last = chain.at(-1);
  if (last === undefined || chain.length > deepest) return false;
  const linked = chain.slice(1).every((issuer, index) => {
    const subject = chain[index];
    return subject !== undefined && issued(issuer, subject);
  });
  if (!linked) return false;
  if (issued(last, last) || last.fingerprint256 === deployed?.fingerprint256) return true;
  return roots.some((root) => issued(root, root) && issued(root, last));
};

/** By subject first: a hundred signatures need not be checked for each look. */
const systemRoots = (issuer: string): X509Certificate[] =>
  rootCertificates.flatMap((pem) => {
    const root = readCertificate(pem);
    return root?.subject === issuer ? [root] : [];
  });

export interface Known {
  /** PEM of what verifies the agent's own server. */
  readonly cacert: string;
  /** PEM of the endpoint's certificate and chain as they are in place; may be empty. */
  readonly fullchain: string;
  readonly stopping: AbortSignal;
}

/** Done when every address served a certificate, whichever; failed where one served none. */
export const validate = async (task: TaskOf<'validate'>, known: Known): Promise<Answer> => {
  const { host, port, server_name, fingerprint } = task;
  const own = readCertificates(known.cacert);
  const deployed = readCertificates(known.fullchain).at(-1);
  const look = async (address: string): Promise<Observed> => {
    const chain = await dial(address, port, server_name);
    const roots = [...own, ...systemRoots(chain.at(-1)?.issuer ?? '')];
    const found = chain[0]?.fingerprint256.replaceAll(':', '').toLowerCase() ?? '';
    return { address, fingerprint: found, chain_complete: isComplete(chain, { roots, deployed }) };
  };
  const lookEverywhere = async (): Promise<Answer> => {
    const addresses = [...new Set((await lookup(host, { all: true })).map(({ address }) => address))];
    if (addresses.length > mostAddresses) return failed(`${host} leads to ${addresses.length} addresses`);
    const seen = await Promise.allSettled(addresses.map(look));
    const silent = seen.flatMap((one, index) =>
      one.status === 'rejected' ? [`${addresses[index]}: ${messageOf(one.reason)}`] : [],
    );
    if (silent.length > 0) return failed(`${host}:${port} did not serve a certificate at ${silent.join('; ')}`);
    return { status: 'done', observed: seen.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])) };
  };
  const asExpected = (answer: Answer): boolean =>
    'observed' in answer && answer.observed.every((one) => one.fingerprint === fingerprint && one.chain_complete);

  for (let left = looks; ; left -= 1) {
    const answer = await lookEverywhere().catch((error: unknown) =>
      failed(`cannot look at ${host}: ${messageOf(error)}`),
    );
    if (asExpected(answer) || left <= 1 || known.stopping.aborted) return answer;
    await pause(betweenLooks, known.stopping);
  }
};
