/** What the server says of fleets and their tokens, and how it is shown. */
import { z } from 'zod';
import { date, lines, table } from './print.ts';

const tokenSchema = z.looseObject({
  token_id: z.string(),
  kind: z.string(),
  status: z.string(),
  endpoint_ids: z.array(z.string()).default([]),
  expires_at: z.number().optional(),
});
export type ShownToken = z.infer<typeof tokenSchema>;
export const revokedTokenSchema = tokenSchema;

export const madeTokenSchema = z.looseObject({
  /** Printed as it comes, so it holds nothing but a token's characters. */
  token: z.string().regex(/^[\w-]+$/),
  token_id: z.string(),
  fleet_id: z.string(),
  kind: z.string(),
  endpoint_ids: z.array(z.string()),
  expires_at: z.number().optional(),
});
export type MadeTokenAnswer = z.infer<typeof madeTokenSchema>;

export const fleetSchema = z.looseObject({
  fleet_id: z.string(),
  endpoint_ids: z.array(z.string()),
  poll_after_seconds: z.number(),
  closed: z.boolean(),
  tokens: z.array(tokenSchema).default([]),
});
export type ShownFleet = z.infer<typeof fleetSchema>;

export const fleetsSchema = z
  .object({ fleets: z.array(fleetSchema), next_token: z.string().optional() })
  .transform(({ fleets, next_token }) => ({ rows: fleets, next_token }));

const end = (expires_at: number | undefined): string => (expires_at === undefined ? 'never' : date(expires_at));

export const describeFleet = (fleet: ShownFleet): string =>
  lines([
    ['Fleet', fleet.fleet_id],
    ['Endpoints', fleet.endpoint_ids.join(' ')],
    ['Poll After', `${fleet.poll_after_seconds} s`],
    ['Enrolment', fleet.closed ? 'closed' : 'open'],
  ]) +
  (fleet.tokens.length === 0
    ? ''
    : `\n${table(
        ['TOKEN ID', 'KIND', 'EXPIRES', 'ENDPOINTS'],
        fleet.tokens.map((token) => [token.token_id, token.kind, end(token.expires_at), token.endpoint_ids.join(' ')]),
      )}`);

export const tableOfFleets = (fleets: readonly ShownFleet[]): string =>
  table(
    ['FLEET', 'ENROLMENT', 'POLL AFTER', 'ENDPOINTS'],
    fleets.map((fleet) => [
      fleet.fleet_id,
      fleet.closed ? 'closed' : 'open',
      `${fleet.poll_after_seconds} s`,
      fleet.endpoint_ids.join(' '),
    ]),
  );

/** All but the token itself. */
export const describeToken = (made: MadeTokenAnswer): string =>
  lines([
    ['Token ID', made.token_id],
    ['Kind', made.kind],
    ['Endpoints', made.endpoint_ids.join(' ')],
    ['Expires', end(made.expires_at)],
  ]);
