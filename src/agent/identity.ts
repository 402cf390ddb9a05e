/** Who the agent is: the client certificate and key that its file names, read anew for each turn. */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { Misuse } from '../cli/failure.ts';
import { moveOver, privateMode, publicMode, readOurs, readText } from '../cli/files.ts';
import type { Identity } from '../cli/identity.ts';
import { belongTogether, isEncrypted, nextOf, type PairFiles, readCertificate, readKey } from '../cli/pair.ts';
import type { AgentConfig } from './config.ts';

/** The file that a path leads to: a link of the administrator's stays a link. */
const real = (path: string, field: string): string => {
  try {
    return realpathSync(path);
  } catch {
    throw new Misuse(`${field}: cannot read ${path}; run everleaf agent enroll`);
  }
};

/** Whether a certificate is for the same holder; its CA may have become another one meanwhile. */
export const isFor = (one: X509Certificate, other: X509Certificate): boolean =>
  one.subject === other.subject && one.subjectAltName === other.subjectAltName;

/** What a crash between the two renames of a renewal left: the new key in place, its certificate beside. */
const finishRenewal = ({ cert }: PairFiles, key: KeyObject): void => {
  const inPlace = readCertificate(readText(cert, 'client_cert'));
  if (inPlace === null || inPlace.checkPrivateKey(key)) return;
  const next = readCertificate(readOurs(nextOf(cert), 'client_cert', publicMode) ?? '');
  if (next?.checkPrivateKey(key) && isFor(next, inPlace)) moveOver(nextOf(cert), cert);
};

/** Finishes a renewal that a crash interrupted between its two files. @throws Misuse naming the field of the agent's file */
export const readAgentIdentity = ({ client_cert, client_key }: AgentConfig): Identity => {
  const files = { cert: real(client_cert, 'client_cert'), key: real(client_key, 'client_key') };
  const pem = readOurs(files.key, 'client_key', privateMode) ?? '';
  if (isEncrypted(pem)) throw new Misuse(`client_key: ${files.key} is encrypted, and nobody is here to open it`);
  const key = readKey(pem);
  if (key === null) throw new Misuse(`client_key: ${files.key} holds no private key in PEM form`);
  finishRenewal(files, key);
  const certificatePem = readText(files.cert, 'client_cert');
  if (readCertificate(certificatePem) === null)
    throw new Misuse(`client_cert: ${files.cert} holds no certificate in PEM form`);
  if (!belongTogether(certificatePem, key))
    throw new Misuse(`client_key: ${files.key} is not the key of the certificate ${files.cert}`);
  return { files, certificatePem, key };
};
