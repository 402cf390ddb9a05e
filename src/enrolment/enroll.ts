/** Lets a node into a fleet: its agent becomes a principal and gets its first certificate, on the word of a token. */
import { z } from 'zod';
import type { Author } from '../audit/stamp.ts';
import { readCsr } from '../authority/csr.ts';
import { sha256 } from '../authority/public-key.ts';
import type { Step } from '../aws/transact.ts';
import { findCertificate } from '../certificate/find-certificates.ts';
import { type Admitted, type Issued, type IssuingWorld, issue } from '../certificate/issue.ts';
import { day_ms, defaultLifetime_days } from '../certificate/lifetime.ts';
import { fleetIdSchema } from '../endpoint/ids.ts';
import { readRow } from '../endpoint/read-row.ts';
import { tokenGrammar } from '../endpoint/token.ts';
import { Conflict, InvalidInput, NotAllowed } from '../errors.ts';
import { endpointKeys, listings } from '../names.ts';
import type { Principal } from '../principal/principal.ts';
import { type Admission, admissionSteps, findAdmission, mustBeOpen } from './admission.ts';
import { newAgentId } from './agent-id.ts';
import { findKeyOwner } from './key-owner.ts';

export const enrolmentSchema = z.strictObject({
  fleet_id: fleetIdSchema,
  token: z.string().regex(tokenGrammar, 'must be an enrolment token, as it was shown when it was made'),
  csr: z.string(),
});
export type Enrolment = z.infer<typeof enrolmentSchema>;

export interface EnrollingWorld extends IssuingWorld {
  /** Where agents report, without a slash at its end. */
  readonly server: string;
}

export interface Enrolled extends Issued {
  readonly principal_id: string;
  readonly server: string;
}

/** What the agent's row remembers, so that the same request is answered alike. */
const enrolmentNote = z.object({
  token_id: z.string(),
  csr_sha256: z.string(),
  serial_number: z.string(),
  chain: z.string(),
});

const csrHash = (csr: string): string => sha256(Buffer.from(csr));

/** What this very token and request were answered before; null: nothing. */
const answeredBefore = async (world: EnrollingWorld, { token }: Admission, csr: string): Promise<Enrolled | null> => {
  const principal_id = await findKeyOwner(world, readCsr(csr).key.public_key_sha256);
  const row = principal_id === null ? undefined : await readRow(world, endpointKeys.agent(principal_id));
  const note = enrolmentNote.safeParse(row?.enrolment).data;
  if (principal_id === null || note === undefined) return null;
  if (note.token_id !== token.token_id || note.csr_sha256 !== csrHash(csr)) return null;
  const { serial_number, chain } = note;
  const { pem, expires_at } = (await findCertificate(world, serial_number)) ?? {};
  if (pem === undefined || expires_at === undefined) return null;
  return { principal_id, serial_number, pem, chain, expires_at, server: world.server };
};

/** A new principal with everything that its enrolment decides; read afresh and tried again until it holds. */
const admitAgent =
  (world: EnrollingWorld, enrolment: Enrolment, principal_id: string) =>
  (subject: Principal | null): Admitted => {
    if (subject !== null) throw new Conflict(`there is a principal ${principal_id} already; try again`);
    const write: Admitted['write'] = async (serials, { serial_number, chain }): Promise<Step[]> => {
      const admission = await findAdmission(world, enrolment);
      mustBeOpen(admission);
      const { fleet, token } = admission;
      const now = world.now();
      return [
        {
          ...{ table: 'principals', key: principal_id, row: undefined, action: 'agent_enrolled' },
          set: {
            ...{ type: 'worker', status: 'active', created_at: now, ...serials },
            fleet_id: fleet.fleet_id,
            fleet_created_at: fleet.created_at,
            endpoint_ids: token.endpoint_ids,
            enrolled_with: token.token_id,
          },
        },
        {
          ...{ table: 'endpoints', key: endpointKeys.agent(principal_id), row: undefined, action: 'agent_enrolled' },
          set: {
            listing: listings.agents,
            fleet: fleet.fleet_id,
            endpoints: [],
            enrolment: { token_id: token.token_id, csr_sha256: csrHash(enrolment.csr), serial_number, chain },
          },
        },
        ...admissionSteps(world, admission, principal_id),
      ];
    };
    return { type: 'worker', write };
  };

/**
 * A single token is used up in the very transaction that makes the principal; the same token with the same request is
 * answered alike, as often as it comes. @throws NotAllowed; InvalidInput on `csr`; Unavailable
 */
export const enroll = async (world: EnrollingWorld, author: Author, enrolment: Enrolment): Promise<Enrolled> => {
  const { fleet_id, csr } = enrolment;
  const admission = await findAdmission(world, enrolment);
  if (admission.status === 'open' || admission.status === 'used') {
    const before = await answeredBefore(world, admission, csr);
    if (before !== null) return before;
  }
  mustBeOpen(admission);
  const principal_id = newAgentId(fleet_id, world.now(), world.randomBytes);
  try {
    const issued = await issue(world, {
      ...{ principal_id, csr, caller: null, author, action: 'certificate_issued' },
      lifetime_ms: defaultLifetime_days * day_ms,
      admit: admitAgent(world, enrolment, principal_id),
    });
    return { principal_id, ...issued, server: world.server };
  } catch (error) {
    // The same request, sent twice at once: one of the two enrolled, and is what both are answered.
    if (!(error instanceof InvalidInput || error instanceof NotAllowed)) throw error;
    const meanwhile = await answeredBefore(world, admission, csr);
    if (meanwhile === null) throw error;
    return meanwhile;
  }
};
