/** An agent's first certificate: the key is made here, a token of its fleet vouches for it once. Stops anywhere, repeats. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Agent } from 'node:https';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { writeKey } from '../authority/make-csr.ts';
import { explainConnection } from '../cli/connection.ts';
import { Misuse, Refused } from '../cli/failure.ts';
import {
  checkWritable,
  makePrivateFolder,
  privateMode,
  publicMode,
  readIfThere,
  readOurs,
  readText,
  removeIfThere,
  replaceFile,
  writeAtomically,
} from '../cli/files.ts';
import type { Identity } from '../cli/identity.ts';
import { belongTogether, isEncrypted, readKey } from '../cli/pair.ts';
import { type AgentFile, readAgentFile } from './config.ts';
import { makeCsrFor, makeKeyOf } from './csr.ts';
import { type Peer, post, type Reply, refusalOf, trusting } from './post.ts';
import { enrolledSchema } from './protocol.ts';

export interface Enrolment {
  /** The agent's own file: written where it is missing, completed where it is not. */
  readonly file: string;
  readonly fleet_id: string;
  /** A token, or a fleet key. Never written anywhere. */
  readonly token: string;
  /** Where to enrol; undefined: where the file says. */
  readonly enroll_server: string | undefined;
  /** What verifies servers; undefined: where the file says, else the system's own roots. */
  readonly cacert: string | undefined;
  /** The API; undefined: where the file says, else what the enrolment answers. */
  readonly server: string | undefined;
}

export interface Enrolled {
  readonly principal_id: string;
  readonly serial_number: string;
  readonly client_cert: string;
  readonly client_key: string;
  /** ms */
  readonly expires_at: number;
}

/** The file with everything that enrolling needs; `null` for what only the answer knows. */
const complete = (found: AgentFile, { file, cacert, server, enroll_server }: Enrolment) => {
  const folder = dirname(file);
  const verifier = cacert === undefined ? found.cacert : resolve(cacert);
  const enrolsAt = enroll_server ?? found.enroll_server;
  if (enrolsAt === undefined)
    throw new Misuse(`--enroll-server is missing: give it, or set EVERLEAF_ENROLL_SERVER, or write it into ${file}`);
  return {
    server: server ?? found.server,
    enroll_server: enrolsAt,
    ...(verifier === undefined ? {} : { cacert: verifier }),
    client_cert: found.client_cert ?? join(folder, 'agent-cert.pem'),
    client_key: found.client_key ?? join(folder, 'agent-key.pem'),
    state_dir: found.state_dir ?? join(folder, 'state'),
    endpoints: found.endpoints,
    ...(found.http01 === undefined ? {} : { http01: found.http01 }),
  };
};

const emptyFile: AgentFile = { endpoints: {} };

export const readFileIfThere = (file: string): AgentFile => (existsSync(file) ? readAgentFile(file) : emptyFile);

/** Whether the file names a certificate that is there. @throws Misuse for a file that is wrong */
export const isEnrolled = (file: string): boolean => {
  const { client_cert } = readFileIfThere(file);
  return existsSync(client_cert ?? join(dirname(resolve(file)), 'agent-cert.pem'));
};

/** A key that an earlier try left without a certificate, or a new one. */
const keyIn = async (file: string): Promise<KeyObject> => {
  const left = readOurs(file, 'client_key', privateMode);
  if (left !== null) {
    const key = isEncrypted(left) ? null : readKey(left);
    if (key === null) throw new Misuse(`client_key: ${file} holds no usable key; move it away`);
    return key;
  }
  const key = await makeKeyOf('ec-p256');
  writeAtomically(file, writeKey(key), privateMode);
  return key;
};

const requestSchema = z.object({ public_key_sha256: z.string(), csr: z.string() });

/** The very request that an earlier try sent: with the same token it gets the same answer. */
const requestFor = (key: KeyObject, file: string): string => {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const public_key_sha256 = createHash('sha256').update(spki).digest('hex');
  const left = readOurs(file, 'client_key', privateMode);
  try {
    const found = requestSchema.safeParse(JSON.parse(left ?? 'null')).data;
    if (found?.public_key_sha256 === public_key_sha256) return found.csr;
  } catch {
    // Not ours: another takes its place.
  }
  const csr = makeCsrFor(key, []);
  writeAtomically(file, `${JSON.stringify({ public_key_sha256, csr })}\n`, privateMode);
  return csr;
};

const parseServer = (text: string, option: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.protocol !== 'https:' || url.username || url.password || url.search || url.hash)
    throw new Misuse(`${option}: must be an address like https://enroll.example.com`);
  return url;
};

const ask = async (peer: Peer, body: unknown, cacert: string | undefined, identity: Identity): Promise<Reply> => {
  try {
    return await post(peer, ['enroll'], body);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code.includes('ALERT'))
      throw new Refused(`${peer.server.origin} asks for a client certificate: give the enrolment server’s own address`);
    const { cert: clientCert, key: clientKey } = identity.files;
    const settings = { server: peer.server, cacert: cacert ?? null, clientCert, clientKey };
    throw new Refused(explainConnection(error, settings, identity).message.replaceAll('--server', '--enroll-server'));
  }
};

/** @throws Misuse for a file that holds no certificates */
const trustingOnly = (ca: string | undefined, file: string | undefined): Agent => {
  try {
    return trusting({ ca });
  } catch {
    throw new Misuse(`--cacert: ${file ?? ''} is not a bundle of certificates in PEM form`);
  }
};

/** @throws Misuse naming the option or field; Refused where the server does, with everything left to be tried again */
export const enrolAgent = async (enrolment: Enrolment): Promise<Enrolled> => {
  const file = resolve(enrolment.file);
  makePrivateFolder(dirname(file), '--config');
  const content = complete(readFileIfThere(file), { ...enrolment, file });
  const { client_cert, client_key, cacert, enroll_server } = content;
  const at = parseServer(enroll_server, '--enroll-server');
  if (content.server !== undefined) parseServer(content.server, '--server');
  if (readIfThere(client_cert, 'client_cert') !== null)
    throw new Refused(`this node is enrolled already: ${client_cert} is there; move it away to enrol anew`);
  checkWritable(client_cert, 'client_cert');
  checkWritable(client_key, 'client_key');
  const ca = cacert === undefined ? undefined : readText(cacert, '--cacert');

  const key = await keyIn(client_key);
  const requestFile = `${client_key}.request`;
  const csr = requestFor(key, requestFile);
  const { fleet_id, token } = enrolment;
  const identity = { files: { cert: client_cert, key: client_key }, certificatePem: '', key };
  const reply = await ask({ server: at, tls: trustingOnly(ca, cacert) }, { fleet_id, token, csr }, cacert, identity);
  if (reply.status < 200 || reply.status > 299)
    throw new Refused(`${at.origin} did not enrol this node: ${refusalOf(reply)}`);
  const enrolled = enrolledSchema.safeParse(reply.content);
  if (!enrolled.success || !belongTogether(enrolled.data.pem, key))
    throw new Refused(`${at.origin} answered something else; is it an Everleaf enrolment server?`);

  const { principal_id, serial_number, pem, expires_at } = enrolled.data;
  const server = content.server ?? parseServer(enrolled.data.server, 'the answer’s server').href.replace(/\/$/, '');
  replaceFile(file, `${JSON.stringify({ ...content, server }, null, 2)}\n`, publicMode);
  // Last: where the certificate is, everything else is.
  writeAtomically(client_cert, pem, publicMode);
  removeIfThere(requestFile);
  return { principal_id, serial_number, client_cert, client_key, expires_at };
};
