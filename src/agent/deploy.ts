/** Deploys a job's certificate: checked, written beside, put in place in one instant, taken up by its consumer, or undone. */
import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { writeKey } from '../authority/make-csr.ts';
import { certificateBlocks } from '../authority/pem.ts';
import { belongTogether, readCertificate } from '../cli/pair.ts';
import { coversName } from '../renewal/names.ts';
import type { Endpoint } from './config.ts';
import { failed } from './failed.ts';
import { fingerprintOf } from './fingerprint.ts';
import { type Entry, supersede, writeEntry } from './journal.ts';
import { findJobKey, type JobKey } from './keys.ts';
import { type Outcome, place } from './place.ts';
import type { Answer, TaskOf } from './protocol.ts';
import { check, checksCandidate } from './reload.ts';
import type { State } from './state.ts';
import { prepareFolder, readLink, writeVersion } from './versions.ts';

/** `DNS:a.example, IP Address:10.0.0.1` of a certificate; commas within a name are quoted there, and none of ours has any. */
const dnsNamesOf = ({ subjectAltName = '' }: X509Certificate): string[] =>
  subjectAltName.split(', ').flatMap((one) => (one.startsWith('DNS:') ? [one.slice('DNS:'.length).toLowerCase()] : []));

const isFor = (certificate: X509Certificate, name: string): boolean =>
  isIP(name) === 0
    ? dnsNamesOf(certificate).some((pattern) => coversName(pattern, name))
    : certificate.checkIP(name) !== undefined;

const normal = (blocks: readonly string[]): string => blocks.map((block) => `${block.trim()}\n`).join('');

/** Why this certificate is not to be deployed, whatever the server says of it; null: it is. */
const unfit = ({ pem, chain, fingerprint }: TaskOf<'deploy'>, { key, names }: JobKey, now: number): string | null => {
  const [leaf = '', ...more] = certificateBlocks(pem);
  const certificate = readCertificate(leaf);
  if (certificate === null || more.length > 0) return 'pem is not one certificate';
  if (fingerprintOf(leaf) !== fingerprint) return 'the certificate has another fingerprint than was said';
  if (!belongTogether(leaf, key)) return 'the certificate is not of the key that this node made for the job';
  if (Date.parse(certificate.validTo) <= now) return `the certificate expired on ${certificate.validTo}`;
  const missing = names.find((name) => !isFor(certificate, name));
  if (missing !== undefined) return `the certificate is not for ${missing}`;
  if (certificateBlocks(chain).some((block) => readCertificate(block) === null))
    return 'chain holds something that is no certificate';
  return null;
};

export interface Deploying {
  readonly state: State;
  readonly endpoint: Endpoint;
  /** Of the task: what tells it from another one of the job's. */
  readonly content: string;
  /** The server's clock, ms. */
  readonly now: number;
  /** Ends the agent before something is put in place; never after. */
  readonly stopping: AbortSignal;
}

/** The agent is to end: what was begun is taken up when it starts again. */
export class Stopped extends Error {}

/** What a task came to. */
export interface Ended {
  readonly answer: Answer;
  readonly settled: boolean;
}

/** Nothing was changed. */
const unchanged = (reason: string): Ended => ({ answer: failed(reason), settled: true });

/** @throws Stopped, or what the disk says where even undoing was impossible; the journal knows how far it came */
export const deploy = async (deploying: Deploying, task: TaskOf<'deploy'>): Promise<Ended> => {
  const { state, endpoint, content, now, stopping } = deploying;
  const { job_id, task_id, endpoint_id, fingerprint } = task;
  const made = findJobKey(state, job_id);
  if (made === null) return unchanged(`this node has no key for job ${job_id}; run the renewal again`);
  const wrong = unfit(task, made, now);
  if (wrong !== null) return unchanged(wrong);
  prepareFolder(endpoint);
  const before = { current: readLink(endpoint, 'current'), previous: readLink(endpoint, 'previous') };
  const cert = normal(certificateBlocks(task.pem));
  const chain = normal(certificateBlocks(task.chain));
  writeVersion(endpoint, { fingerprint, key: writeKey(made.key), cert, chain });
  if (checksCandidate(endpoint)) {
    const refused = await check(endpoint, fingerprint);
    if (refused !== null) return unchanged(refused);
  }
  if (stopping.aborted) throw new Stopped();
  const { directory } = endpoint;
  const entry: Entry = {
    ...{ task_id, job_id, endpoint_id, kind: 'deploy', content, directory, fingerprint, before },
    step: { name: 'placing' },
  };
  writeEntry(state, entry);
  supersede(state, entry);
  return deployedBy(entry, await place(state, endpoint, entry));
};

/** What a deployment that is over came to. */
export const deployedBy = ({ fingerprint, before }: Entry, { wrong, settled }: Outcome): Ended => {
  if (wrong !== null) return { answer: failed(wrong), settled };
  const previous_fingerprint = before.current === fingerprint ? before.previous : before.current;
  return { answer: { status: 'done', fingerprint, previous_fingerprint }, settled };
};
