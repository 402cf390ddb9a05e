/** What a renewal makes of an agent's answer; pure but for what is known of a key. */
import type { KeyObject } from 'node:crypto';
import { readCsr } from '../authority/csr.ts';
import { checkRequest } from '../authority/csr-request.ts';
import { endpointProfile } from '../authority/profile.ts';
import type { Step } from '../aws/transact.ts';
import { InvalidInput } from '../errors.ts';
import type { World } from '../world.ts';
import type { Answer, Done, Failed } from './answer.ts';
import { claimEndpointKey } from './endpoint-key.ts';
import type { Job } from './job.ts';
import type { KeyType } from './policy.ts';
import { nextTryAt, randomShare } from './retry.ts';
import { notServed, whatIsWrong } from './served.ts';
import { restored, transition } from './status.ts';

export interface Taken {
  readonly next: Job;
  /** What must hold, or is written with it. */
  readonly steps: readonly Step[];
  /** Where the status stays as it is. */
  readonly action?: string;
  /** Why the answer was refused; the renewal has failed by it, and no other try would help. */
  readonly refused?: string;
  /** What the state machine is told in place of going on: it looks again, or fails. */
  readonly failure?: { readonly error: string; readonly cause: string };
}

const keyTypeOf = (key: KeyObject): KeyType | null => {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  if (namedCurve === 'prime256v1') return 'ec-p256';
  if (namedCurve === 'secp384r1') return 'ec-p384';
  return modulusLength === 2048 ? 'rsa-2048' : modulusLength === 3072 ? 'rsa-3072' : null;
};

/** A failure that may pass: the policy says how often it is tried again. */
export const failing = (world: World, job: Job, reason: string): Job => {
  const now = world.now();
  const { attempt, policy } = job;
  const random = randomShare(world.randomBytes);
  const next_try_at = nextTryAt({ attempt, retries: policy.retries, now, random }) ?? undefined;
  return transition(job, { to: 'FAILED', reason, next_try_at }, now);
};

const failed = (world: World, job: Job, cause: string): Taken => ({
  next: failing(world, job, cause),
  steps: [],
  failure: { error: 'Conflict', cause },
});

const takeCsr = async (world: World, job: Job, { csr }: Done<'make_csr'>): Promise<Taken> => {
  try {
    const request = readCsr(csr);
    const { key, public_key_sha256 } = request.key;
    const { key_type, client_auth } = job.policy;
    checkRequest(request, endpointProfile({ names: job.names, client_auth }));
    if (keyTypeOf(key) !== key_type) throw new InvalidInput('csr', `key is not of type ${key_type}`);
    if (job.public_key_sha256 !== undefined && job.public_key_sha256 !== public_key_sha256)
      throw new InvalidInput('csr', 'is for another key than this renewal began with; run the renewal again');
    const claim = await claimEndpointKey(world, job, public_key_sha256);
    const received = transition(job, { to: 'CSR_RECEIVED' }, world.now());
    return { next: { ...received, csr, public_key_sha256 }, steps: [claim] };
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    const cause = `the agent’s request is refused: ${error.message}`;
    const next = transition(job, { to: 'FAILED', reason: cause }, world.now());
    return { next, steps: [], refused: error.message, failure: { error: 'InvalidInput', cause } };
  }
};

const takeDeployment = (world: World, job: Job, answer: Done<'deploy'>): Taken => {
  if (answer.fingerprint !== job.fingerprint)
    return failed(world, job, `the agent deployed ${answer.fingerprint} in place of ${job.fingerprint}`);
  const { previous_fingerprint } = answer;
  return { next: { ...transition(job, { to: 'VALIDATING' }, world.now()), previous_fingerprint }, steps: [] };
};

const takeRestoration = (job: Job, answer: Done<'restore'> | Failed): Taken => {
  if (answer.status === 'done' && answer.fingerprint === job.previous_fingerprint)
    return { next: restored(job, 'done'), steps: [], action: 'previous_restored' };
  const why = answer.status === 'done' ? `the agent put ${answer.fingerprint} back` : answer.reason;
  const reason = `${job.reason ?? ''}; ${job.previous_fingerprint} is not back: ${why}`;
  return { next: restored(job, 'failed', reason), steps: [], action: 'restoring_failed' };
};

const takeObservation = (world: World, job: Job, answer: Done<'validate'> | Failed): Taken => {
  const wrong = answer.status === 'failed' ? answer.reason : whatIsWrong(answer.observed, job.fingerprint ?? '');
  const taken = { next: job, steps: [], action: 'endpoint_observed' };
  return wrong === null
    ? taken
    : { ...taken, failure: { error: notServed(job, wrong, world.now()).name, cause: wrong } };
};

/** @throws Conflict where the renewal is not waiting for it any more */
export const takeAnswer = async (world: World, job: Job, { kind, answer }: Answer): Promise<Taken> => {
  switch (kind) {
    case 'make_csr':
      return answer.status === 'failed' ? failed(world, job, answer.reason) : takeCsr(world, job, answer);
    case 'deploy':
      return answer.status === 'failed' ? failed(world, job, answer.reason) : takeDeployment(world, job, answer);
    case 'restore':
      return takeRestoration(job, answer);
    case 'validate':
      return takeObservation(world, job, answer);
  }
};
