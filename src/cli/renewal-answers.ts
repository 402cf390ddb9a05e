/** What the server says of renewals, and how it is shown. */
import { z } from 'zod';
import { date, lines, table } from './print.ts';

const text = z.string().optional();
const time = z.number().optional();

export const momentSchema = z.looseObject({ status: z.string(), at: z.number(), reason: text });

export const renewalSchema = z.looseObject({
  job_id: z.string(),
  endpoint_id: text,
  policy_id: text,
  status: text,
  /** Whether it goes on by itself. */
  live: z.boolean().default(false),
  attempt: time,
  reason: text,
  next_try_at: time,
  requested_by: text,
  agent_id: text,
  history: z.array(momentSchema).default([]),
  certificate: z
    .looseObject({ serial_number: text, fingerprint: z.string(), issuer: text, not_after: time })
    .optional(),
  previous_fingerprint: z.string().nullable().optional(),
  restore: text,
  rollback: z.looseObject({ reason: z.string(), by: z.string() }).optional(),
  waiting_for: z.looseObject({ agent_id: text, kind: z.string(), until: z.number() }).optional(),
  invalid: z.array(z.string()).optional(),
});
export type ShownRenewal = z.infer<typeof renewalSchema>;

export const renewalsSchema = z
  .object({ jobs: z.array(renewalSchema), next_token: z.string().optional() })
  .transform(({ jobs, next_token }) => ({ rows: jobs, next_token }));

export const begunSchema = z.object({
  jobs: z.array(z.looseObject({ job_id: z.string(), endpoint_id: z.string(), status: z.string() })),
});
export type Begun = z.infer<typeof begunSchema>['jobs'][number];

const optionalDate = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : date(ms));

export const describeMoment = ({ status, at, reason }: z.infer<typeof momentSchema>): string =>
  `${date(at)} ${status}${reason === undefined ? '' : `: ${reason}`}`;

const waiting = ({ waiting_for }: ShownRenewal): string | undefined =>
  waiting_for && `${waiting_for.agent_id ?? 'an agent'}, to ${waiting_for.kind}, until ${date(waiting_for.until)}`;

export const describeRenewal = (renewal: ShownRenewal): string =>
  lines([
    ['Renewal', renewal.job_id],
    ['Endpoint', renewal.endpoint_id],
    ['Policy', renewal.policy_id],
    ['Status', renewal.status],
    ['Reason', renewal.reason],
    ['Try', renewal.attempt === undefined ? undefined : String(renewal.attempt)],
    ['Next Try', optionalDate(renewal.next_try_at)],
    ['Waiting For', waiting(renewal)],
    ['Requested By', renewal.requested_by],
    ['Agent', renewal.agent_id],
    ['Serial', renewal.certificate?.serial_number],
    ['Fingerprint', renewal.certificate?.fingerprint],
    ['Issuer', renewal.certificate?.issuer],
    ['Expires', optionalDate(renewal.certificate?.not_after)],
    ['Before', renewal.previous_fingerprint ?? undefined],
    ['Put Back', renewal.restore],
    ['Rollback', renewal.rollback && `${renewal.rollback.reason} (${renewal.rollback.by})`],
    ['Invalid', renewal.invalid?.join(', ')],
    ...renewal.history.map((moment) => ['History', describeMoment(moment)] as const),
  ]);

export const tableOfRenewals = (renewals: readonly ShownRenewal[]): string =>
  table(
    ['RENEWAL', 'ENDPOINT', 'STATUS', 'TRY', 'SINCE', 'REASON'],
    renewals.map((renewal) => [
      renewal.job_id,
      renewal.endpoint_id ?? '?',
      renewal.status ?? `invalid: ${renewal.invalid?.join(' ') ?? ''}`,
      String(renewal.attempt ?? '?'),
      optionalDate(renewal.history.at(-1)?.at) ?? '-',
      renewal.reason ?? '-',
    ]),
  );

export const tableOfBegun = (begun: readonly Begun[]): string =>
  table(
    ['RENEWAL', 'ENDPOINT', 'STATUS'],
    begun.map(({ job_id, endpoint_id, status }) => [job_id, endpoint_id, status]),
  );
