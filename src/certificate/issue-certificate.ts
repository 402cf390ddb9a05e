/** Issues a certificate to a principal from its CSR, on the word of a caller who may change that principal. */
import { authorOf, type Caller } from '../access/caller.ts';
import { mustReach, type Reach } from '../access/roles.ts';
import { getPrincipal } from '../principal/get-principal.ts';
import { type Issued, type IssuingWorld, issue } from './issue.ts';
import { day_ms, defaultLifetime_days } from './lifetime.ts';
import { admitActive } from './subject-row.ts';

const action = 'certificate_issued';

export interface IssueRequest {
  readonly caller: Caller;
  readonly reach: Reach;
  readonly principal_id: string;
  readonly csr: string;
  readonly lifetime_days?: number | undefined;
}

/** @throws NotFound, NotAllowed; InvalidInput on `csr`; Conflict when the principal is suspended or has enough certificates. */
export const issueCertificate = async (world: IssuingWorld, request: IssueRequest): Promise<Issued> => {
  const { caller, reach, principal_id, csr, lifetime_days = defaultLifetime_days } = request;
  mustReach(reach, caller, await getPrincipal(world, principal_id));
  return issue(world, {
    principal_id,
    csr,
    lifetime_ms: lifetime_days * day_ms,
    caller,
    author: authorOf(caller),
    action,
    admit: admitActive(principal_id, action),
  });
};
