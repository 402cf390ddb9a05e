/** Enrolment tokens: what lets a node into a fleet. Only their hashes are kept. */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Row } from '../aws/unchanged.ts';
import { endpointKeys } from '../names.ts';
import type { Fleet } from './fleet.ts';
import { endpointPatternsSchema } from './ids.ts';

/** `single` enrols one agent; `fleet` any number, until it is revoked. */
export const tokenKinds = ['single', 'fleet'] as const;
export type TokenKind = (typeof tokenKinds)[number];

const secretBytes = 32;
/** Says what it is to whoever finds one, people and scanners alike. */
const prefix = 'evt_';
/** As it is typed. */
export const tokenGrammar = /^evt_[A-Za-z0-9_-]{43}$/;

export const newToken = (randomBytes: (size: number) => Uint8Array): string =>
  `${prefix}${Buffer.from(randomBytes(secretBytes)).toString('base64url')}`;

/** SHA-256, lower-case hex: names the token and does not tell it. */
export const tokenIdOf = (token: string): string => createHash('sha256').update(token).digest('hex');
export const tokenIdSchema = z.string().regex(/^[0-9a-f]{64}$/, 'must be the token_id of a token: 64 hex digits');

const usual_seconds = 3_600;
const secondsMessage = 'must be a whole number of seconds, 60 to 34300800 (397 days)';
const secondsSchema = z
  .number(secondsMessage)
  .int(secondsMessage)
  .min(60, secondsMessage)
  .max(34_300_800, secondsMessage);

export const tokenInputSchema = z.strictObject({
  kind: z.enum(tokenKinds, `must be one of ${tokenKinds.join(', ')}`).default('single'),
  /** What its agents may own, of what the fleet may; all of that where it is left out. */
  endpoint_ids: endpointPatternsSchema.optional(),
  /** An hour for a single one; one of the fleet has no end unless this says so. */
  expires_in_seconds: secondsSchema.optional(),
});
export type TokenInput = z.infer<typeof tokenInputSchema>;

/** When it ends, ms since the epoch; undefined: never. */
export const tokenEnd = ({ kind, expires_in_seconds }: TokenInput, now: number): number | undefined => {
  const seconds = expires_in_seconds ?? (kind === 'single' ? usual_seconds : undefined);
  return seconds === undefined ? undefined : now + seconds * 1_000;
};

/** A token as it is read back. */
export interface Token {
  readonly token_id: string;
  readonly fleet?: string | undefined;
  /** That of the fleet when the token was made. */
  readonly fleet_created_at?: number | undefined;
  readonly kind: TokenKind;
  /** None in a row edited to nonsense. */
  readonly endpoint_ids: readonly string[];
  /** Milliseconds since the epoch; absent: it has no end, null: somebody edited it to nonsense. */
  readonly expires_at?: number | null | undefined;
  readonly created_at?: number | undefined;
  readonly created_by?: string | undefined;
  readonly revoked_at?: number | undefined;
  /** true for anything but a BOOL false. */
  readonly revoked: boolean;
  /** The principal id of the agent that a single one enrolled. */
  readonly used_by?: string | undefined;
  readonly row: Row;
}

const text = z.string().optional().catch(undefined);
const instant = z.number().int().min(0).max(8.64e15).optional();
const rowSchema = z.object({
  endpoint_id: z.string(),
  fleet: text,
  fleet_created_at: instant.catch(undefined),
  kind: z.enum(tokenKinds).catch('single'),
  endpoint_ids: endpointPatternsSchema.catch([]),
  expires_at: instant.nullable().catch(null),
  created_at: instant.catch(undefined),
  created_by: text,
  revoked_at: instant.catch(undefined),
  revoked: z.unknown().optional(),
  used_by: text,
});

/** Reads the row of a token. */
export const parseToken = (item: Row): Token => {
  const { endpoint_id, revoked, ...row } = rowSchema.parse(item);
  const token_id = endpoint_id.slice(endpointKeys.token('').length);
  return { ...row, token_id, revoked: revoked !== false, row: item };
};

export type TokenStatus = 'open' | 'revoked' | 'used' | 'expired' | 'closed' | 'foreign';

/**
 * Whether it lets a node into the fleet at `now` (ms), and why not: `closed` is the fleet, `foreign` is a token of
 * another fleet, or of one that was deleted and whose name was given again. A single token that is `used` still answers
 * the very request that used it.
 */
export const tokenStatus = (token: Token, fleet: Fleet, now: number): TokenStatus => {
  const { created_at } = fleet;
  if (token.fleet !== fleet.fleet_id || created_at === undefined || token.fleet_created_at !== created_at)
    return 'foreign';
  if (token.revoked) return 'revoked';
  if (token.kind === 'single' && token.used_by !== undefined) return 'used';
  if (token.expires_at === null || (token.expires_at !== undefined && token.expires_at <= now)) return 'expired';
  return fleet.closed ? 'closed' : 'open';
};

/** What the API shows of a token. */
export interface TokenView extends Partial<Pick<Token, 'created_at' | 'created_by' | 'revoked_at' | 'used_by'>> {
  readonly token_id: string;
  readonly kind: TokenKind;
  readonly endpoint_ids: readonly string[];
  readonly expires_at?: number;
  readonly status: TokenStatus;
}

export const viewToken = (token: Token, fleet: Fleet, now: number): TokenView => {
  const { row: _row, revoked: _revoked, fleet: _fleet, fleet_created_at: _made, expires_at, ...view } = token;
  return { ...view, ...(expires_at == null ? {} : { expires_at }), status: tokenStatus(token, fleet, now) };
};
