/** Sees to the agent's own certificate: read for each turn, renewed when it is due, with a backoff of its own. */
import type { Agent } from 'node:https';
import { explainConnection } from '../cli/connection.ts';
import { Misuse, Refused } from '../cli/failure.ts';
import { readText } from '../cli/files.ts';
import type { Identity } from '../cli/identity.ts';
import type { AgentConfig } from './config.ts';
import { readAgentIdentity } from './identity.ts';
import { type Peer, trusting } from './post.ts';
import { NotRenewed, renewalDue, renewIdentity } from './renew-identity.ts';
import { type Running, settingsOf } from './running.ts';
import { backoff } from './wait.ts';

/** A renewal has weeks; it begins with waits over a minute. */
const headStart = 4;

interface Known {
  readonly certificatePem: string;
  readonly key: string;
  readonly ca: string | undefined;
  readonly tls: Agent;
}
let known: Known | undefined;

/** The server, as this identity speaks to it. @throws Misuse for a cacert that cannot be read */
export const peerOf = ({ server, cacert }: AgentConfig, { certificatePem, key: opened }: Identity): Peer => {
  const ca = cacert === null ? undefined : readText(cacert, 'cacert');
  const key = opened.export({ type: 'pkcs8', format: 'pem' }).toString();
  if (known?.certificatePem !== certificatePem || known.key !== key || known.ca !== ca)
    known = { certificatePem, key, ca, tls: trusting({ ca, client: { cert: certificatePem, key } }) };
  return { server, tls: known.tls };
};

/** Answers with the identity to use now. @throws Misuse where there is none */
export const openOwnCertificate = (running: Running): (() => Promise<Identity>) => {
  let failures = 0;
  let notBefore = 0;
  return async () => {
    const { clock, complaints, log, stopping } = running;
    const identity = readAgentIdentity(running.config);
    if (renewalDue(identity.certificatePem) > clock.now() || notBefore > running.now()) return identity;
    try {
      await renewIdentity(peerOf(running.config, identity), identity, stopping);
      [failures, notBefore] = [0, 0];
      complaints.settle('own certificate not renewed');
      log('info', 'own certificate renewed', { file: identity.files.cert });
      return readAgentIdentity(running.config);
    } catch (error) {
      failures += 1;
      const asked = error instanceof NotRenewed ? error.reply.retry_after_ms : null;
      notBefore = running.now() + backoff(failures + headStart, asked, running.random());
      const known = error instanceof Refused || error instanceof Misuse;
      const { message } = known ? error : explainConnection(error, settingsOf(running.config, identity), identity);
      if (!stopping.aborted) complaints.complain('own certificate not renewed', message);
      return identity;
    }
  };
};
