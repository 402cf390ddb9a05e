/** IssueCertificate: one certificate for one renewal, however often it is asked for, and whoever asks at the same time. */
import { X509Certificate } from 'node:crypto';
import { generationIs } from '../access/caller-stands.ts';
import type { Author } from '../audit/stamp.ts';
import { sha256 } from '../authority/public-key.ts';
import type { Sign, Signed } from '../authority/sign-request.ts';
import type { Check } from '../aws/transact.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { readGeneration } from '../certificate/generation.ts';
import { backdate_ms, day_ms, validityFrom } from '../certificate/lifetime.ts';
import { newSerial } from '../certificate/serial.ts';
import { Conflict } from '../errors.ts';
import { tableName } from '../names.ts';
import type { World } from '../world.ts';
import { endpointKeyStands } from './endpoint-key.ts';
import type { Job } from './job.ts';
import { actions, saveJob } from './save-job.ts';
import { transition } from './status.ts';
import { hasReached, outOfTurn, readStep, type StepInput, stopIfUnwanted } from './step.ts';

export interface IssuingJobWorld extends World {
  readonly sign: Sign;
}

/** An order that is older (ms) is given anew: the signer refuses a beginning that is not about now. Nothing was issued on it. */
const freshFor_ms = 5 * 60_000;

interface Order {
  readonly serial_number: string;
  readonly not_before: number;
  readonly not_after: number;
}

const newOrder = (world: World, { policy }: Job): Order => {
  const { issued_at, expires_at } = validityFrom(world.now(), policy.lifetime_days * day_ms);
  return {
    serial_number: newSerial(issued_at, world.randomBytes),
    not_before: issued_at - backdate_ms,
    not_after: expires_at,
  };
};

/** null: none, or one too old to be signed. */
const orderOf = ({ serial_number, not_before, not_after }: Job, now: number): Order | null => {
  if (serial_number === undefined || not_before === undefined || not_after === undefined) return null;
  return now - not_before - backdate_ms > freshFor_ms ? null : { serial_number, not_before, not_after };
};

/** What the certificate itself says. */
const issuedOf = ({ pem, chain }: Signed): Partial<Job> => {
  const certificate = new X509Certificate(pem);
  return {
    fingerprint: sha256(certificate.raw),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    not_before: Date.parse(certificate.validFrom),
    not_after: Date.parse(certificate.validTo),
    pem,
    chain,
  };
};

/** Of an agent that was suspended meanwhile nobody knows where its keys are. */
const agentIsActive = (world: World, { agent_id }: Job): Check[] =>
  agent_id === undefined
    ? []
    : [
        {
          item: {
            ConditionCheck: {
              TableName: tableName(world.deployment, 'principals'),
              Key: { principal_id: agent_id },
              ConditionExpression: '#status = :active',
              ExpressionAttributeNames: { '#status': 'status' },
              ExpressionAttributeValues: { ':active': 'active' },
            },
          },
          otherwise: new Conflict(`the agent ${agent_id} is suspended`, 'agent_id'),
        },
      ];

/**
 * Serial number and validity stand in the row before anything is signed; the certificate is what one conditional write
 * puts there, and who loses uses what is there. A try after a failure deploys the same certificate again.
 * @throws InvalidInput on `csr`; NotAllowed when an emergency began meanwhile; Conflict, NotFound, Unavailable
 */
export const issueForJob = (world: IssuingJobWorld, author: Author, step: StepInput): Promise<void> => {
  let generation: number | undefined;
  let signed: { readonly order: Order; readonly signed: Signed } | undefined;
  return untilSettled<void>(world, async () => {
    const job = await readStep(world, step);
    if (hasReached(job, 'ISSUED')) return;
    if (!hasReached(job, 'CHALLENGE_COMPLETE')) throw outOfTurn(job);
    stopIfUnwanted(job);
    generation ??= (await readGeneration(world)).generation;
    const { csr, public_key_sha256, names, policy } = job;
    if (csr === undefined || public_key_sha256 === undefined) throw outOfTurn(job);

    const order = job.pem === undefined ? orderOf(job, world.now()) : null;
    if (job.status === 'CHALLENGE_COMPLETE' || (order === null && job.pem === undefined)) {
      const issuing = job.status === 'ISSUING' ? job : transition(job, { to: 'ISSUING' }, world.now());
      const next = job.pem === undefined ? { ...issuing, ...newOrder(world, job) } : issuing;
      const saved = await saveJob(world, author, job, { next, action: actions.ISSUING });
      return saved === 'again' ? 'again' : 'more';
    }
    if (order !== null && signed?.order.serial_number !== order.serial_number)
      signed = {
        order,
        signed: await world.sign({
          profile: 'endpoint',
          csr,
          names,
          client_auth: policy.client_auth,
          serial_number: order.serial_number,
          not_before_ms: order.not_before,
          not_after_ms: order.not_after,
        }),
      };
    const issued = order === null || signed === undefined ? {} : issuedOf(signed.signed);
    const next = transition({ ...job, ...issued }, { to: 'ISSUED' }, world.now());
    const steps = [
      generationIs(world, generation),
      endpointKeyStands(world, job, public_key_sha256),
      ...agentIsActive(world, job),
    ];
    const action = order === null ? 'certificate_kept' : actions.ISSUED;
    return (await saveJob(world, author, job, { next, action, steps })) === 'again' ? 'again' : undefined;
  });
};
