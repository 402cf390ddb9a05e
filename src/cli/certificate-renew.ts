/** `everleaf certificate renew`: a new certificate over the one in use, without a moment in which a pair is lost. */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { makeCsr, makeKey, writeKey } from '../authority/make-csr.ts';
import { type IssuedAnswer, issuedSchema } from './certificate-answers.ts';
import { Refused } from './failure.ts';
import { privateMode, publicMode, readIfThere, readOurs, writeAtomically } from './files.ts';
import { belongTogether, installPair, isEncrypted, nextOf, readCertificate, readKey, standsFor } from './pair.ts';
import { date, json, lines } from './print.ts';
import { connect, type Server } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';
import { issued as isIssuedBy, readCertificates } from './trust-bundle.ts';

export type RenewOptions = ServerOptions & { readonly newKey?: true; readonly force?: true };

/** The key of a renewal that did not come to its end, or a new one; on disk before it is asked a certificate for. */
const nextKey = (terminal: Terminal, file: string): string => {
  const left = readOurs(nextOf(file), '--client-key', privateMode);
  if (left !== null && !isEncrypted(left) && readKey(left) !== null) {
    terminal.err(`using the key in ${nextOf(file)}, which an earlier run left\n`);
    return left;
  }
  const made = writeKey(makeKey());
  writeAtomically(nextOf(file), made, privateMode);
  return made;
};

/**
 * What an interrupted renewal received and did not put in place: the key's, for the holder of the one in use, outlasting
 * that, and signed by the same CA, which `ca` must hold. Anything else is not believed: another is asked for.
 */
const waiting = (file: string, key: KeyObject, { identity, ca }: Server): IssuedAnswer | null => {
  const pem = readOurs(nextOf(file), '--client-cert', publicMode);
  const certificate = pem === null ? null : readCertificate(pem);
  const inUse = readCertificate(identity.certificatePem);
  if (pem === null || certificate === null || inUse === null) return null;
  const signedAlike = (one: X509Certificate) => isIssuedBy(one, inUse) && isIssuedBy(one, certificate);
  if (!certificate.checkPrivateKey(key) || !standsFor(certificate, inUse)) return null;
  if (!readCertificates(ca ?? '').some(signedAlike)) return null;
  const expires_at = Date.parse(certificate.validTo);
  if (expires_at <= Math.max(Date.now(), Date.parse(inUse.validTo))) return null;
  return { serial_number: certificate.serialNumber.toLowerCase(), pem, chain: '', expires_at };
};

/** @throws Misuse naming the option; Refused, with the pair in use untouched. */
export const renewCertificate = async (terminal: Terminal, options: RenewOptions): Promise<void> => {
  const server = await connect(terminal, options);
  const { identity, send } = server;
  const files = { cert: realpathSync(identity.files.cert), key: realpathSync(identity.files.key) };
  if (options.newKey && isEncrypted(readIfThere(files.key, '--client-key') ?? ''))
    throw new Refused('--new-key: the key is encrypted; renew it without --new-key, or run bootstrap --admin');
  const keyPem = options.newKey ? nextKey(terminal, files.key) : null;
  const key = keyPem === null ? identity.key : readKey(keyPem);
  if (key === null) throw new Refused(`cannot read back the key in ${nextOf(files.key)}`);

  const received = waiting(files.cert, key, server);
  if (received !== null) terminal.err('finishing a renewal that was interrupted\n');
  const issued =
    received ??
    (await send(issuedSchema, {
      method: 'POST',
      path: ['api', 'v1', 'certificates', 'renew'],
      body: { csr: await makeCsr(key), ...(options.force ? { force: true } : {}) },
    }));
  if (!belongTogether(issued.pem, key))
    throw new Refused('the server answered a certificate of another key; nothing was replaced');
  installPair(files, issued.pem, keyPem);
  terminal.out(
    options.output === 'json'
      ? json(issued)
      : lines([
          ['Serial', issued.serial_number],
          ['Expires', date(issued.expires_at)],
          ['Certificate', files.cert],
          ['Key', keyPem === null ? undefined : files.key],
        ]),
  );
};
