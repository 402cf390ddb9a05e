/** Renews the agent's own certificate with a new key, in the last third of its life, without a moment without a pair. */
import { z } from 'zod';
import { writeKey } from '../authority/make-csr.ts';
import { backdate_ms, renewalOpens } from '../certificate/lifetime.ts';
import { Refused } from '../cli/failure.ts';
import { privateMode, publicMode, readOurs, writeAtomically } from '../cli/files.ts';
import type { Identity } from '../cli/identity.ts';
import { belongTogether, installPair, isEncrypted, nextOf, readCertificate, readKey } from '../cli/pair.ts';
import { makeCsrFor, makeKeyOf } from './csr.ts';
import { isFor } from './identity.ts';
import { type Peer, post, type Reply, refusalOf } from './post.ts';

const issuedSchema = z.object({ pem: z.string().regex(/^[\n\x20-\x7e]*$/) });

/**
 * When it is due, ms: in the first quarter of the window that the server grants, at a moment that the certificate itself
 * decides, so that a fleet that enrolled together does not renew together.
 */
export const renewalDue = (certificatePem: string): number => {
  const certificate = readCertificate(certificatePem);
  if (certificate === null) return Number.POSITIVE_INFINITY;
  const expires_at = Date.parse(certificate.validTo);
  const opens = renewalOpens({ issued_at: Date.parse(certificate.validFrom) + backdate_ms, expires_at });
  const share = Number.parseInt(certificate.fingerprint256.replaceAll(':', '').slice(0, 8), 16) / 2 ** 32;
  return opens + 1_000 + (share * (expires_at - opens)) / 4;
};

/** The key of a renewal that did not come to its end, or a new one; on disk before it is asked a certificate for. */
const nextKey = async (file: string): Promise<string> => {
  const left = readOurs(nextOf(file), 'client_key', privateMode);
  if (left !== null && !isEncrypted(left) && readKey(left) !== null) return left;
  const made = writeKey(await makeKeyOf('ec-p256'));
  writeAtomically(nextOf(file), made, privateMode);
  return made;
};

/** What an interrupted renewal received and did not put in place; another is asked for when it is anything else. */
const received = (identity: Identity, keyPem: string): string | null => {
  const pem = readOurs(nextOf(identity.files.cert), 'client_cert', publicMode);
  const [next, inUse] = [readCertificate(pem ?? ''), readCertificate(identity.certificatePem)];
  const key = readKey(keyPem);
  if (pem === null || next === null || inUse === null || key === null) return null;
  const lasts = Date.parse(next.validTo) > Date.parse(inUse.validTo);
  return lasts && next.checkPrivateKey(key) && isFor(next, inUse) ? pem : null;
};

/** The server did not grant it; the reply says why, and when to ask again. */
export class NotRenewed extends Refused {
  constructor(readonly reply: Reply) {
    super(refusalOf(reply));
  }
}

/** @throws NotRenewed, or Refused with the pair in use untouched; what node:https says when there is no answer */
export const renewIdentity = async (peer: Peer, identity: Identity, stopping: AbortSignal): Promise<void> => {
  const keyPem = await nextKey(identity.files.key);
  const key = readKey(keyPem);
  if (key === null) throw new Refused(`cannot read back the key in ${nextOf(identity.files.key)}`);
  let pem = received(identity, keyPem);
  if (pem === null) {
    const reply = await post(peer, ['api', 'v1', 'certificates', 'renew'], { csr: makeCsrFor(key, []) }, stopping);
    if (reply.status < 200 || reply.status > 299) throw new NotRenewed(reply);
    pem = issuedSchema.safeParse(reply.content).data?.pem ?? '';
  }
  const [certificate, inUse] = [readCertificate(pem), readCertificate(identity.certificatePem)];
  if (certificate === null || inUse === null || !belongTogether(pem, key) || !isFor(certificate, inUse))
    throw new Refused('the server answered another’s certificate; nothing was replaced');
  installPair(identity.files, pem, keyPem);
};
