/** Looks at what a server really serves: on every address that its name leads to, by SNI, as a client would. */
import type { X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { rootCertificates } from 'node:tls';
import { readCertificate } from '../cli/pair.ts';
import { readCertificates } from '../cli/trust-bundle.ts';
import { dial, isComplete } from '../renewal/served.ts';
import { failed, messageOf } from './failed.ts';
import { pause } from './pause.ts';
import type { Answer, Observed, TaskOf } from './protocol.ts';

/** A consumer that was signalled takes a moment; times that it is looked at, and the wait between, ms. */
const looks = 5;
const betweenLooks = 1_000;
const mostAddresses = 32;

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
  const own = [...readCertificates(known.cacert), ...readCertificates(known.fullchain)];
  const look = async (address: string): Promise<Observed> => {
    const sent = await dial({ address, port, server_name });
    const [leaf] = sent;
    return {
      address,
      fingerprint: leaf?.fingerprint256.replaceAll(':', '').toLowerCase() ?? '',
      chain_complete: isComplete(sent, [...systemRoots(sent.at(-1)?.issuer ?? ''), ...own]),
    };
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
