/** Whether a token lets a node into a fleet now, and what must still be so when its agent is written. */
import { timingSafeEqual } from 'node:crypto';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import type { Check, Step } from '../aws/transact.ts';
import { unchanged } from '../aws/unchanged.ts';
import { findToken } from '../endpoint/find-tokens.ts';
import type { Fleet } from '../endpoint/fleet.ts';
import { findFleet } from '../endpoint/get-fleet.ts';
import { type Token, type TokenStatus, tokenIdOf, tokenStatus } from '../endpoint/token.ts';
import { NotAllowed } from '../errors.ts';
import { controlKeys, endpointKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';

export interface Admission {
  readonly token: Token;
  readonly fleet: Fleet;
  readonly status: TokenStatus;
}

/** One refusal for whatever an outsider could guess at: no such fleet, no such token, another fleet's. */
const unknown = (): NotAllowed => new NotAllowed('the token lets nobody into this fleet', 'token');

/** Whoever has the token itself is told what became of it. */
const refusals: Readonly<Record<Exclude<TokenStatus, 'open'>, string | null>> = {
  foreign: null,
  revoked: 'the token was revoked; have another one made',
  used: 'the token was used by another node; have another one made',
  expired: 'the token has expired; have another one made',
  closed: 'the fleet lets nobody in at present',
};

const controlSchema = z.object({ closed: z.unknown().optional(), reason: z.string().optional().catch(undefined) });

const readControl = async (world: World) => {
  const { Item } = await world.documents.send(
    new GetCommand({
      TableName: tableName(world.deployment, 'controls'),
      Key: { control_id: controlKeys.enrolment },
      ConsistentRead: true,
    }),
  );
  return controlSchema.optional().parse(Item);
};

const enrolmentClosed = (reason: string | undefined): NotAllowed =>
  new NotAllowed(`enrolment is closed${reason === undefined ? '' : `: ${reason}`}`);

/** Anything but absent, or a BOOL false, is closed: whoever edits the row by hand means it so. */
const isClosed = ({ closed }: { closed?: unknown } = {}): boolean => closed !== undefined && closed !== false;

/** Digests are compared, and in a time that tells nothing of them. */
const isSame = (one: string, other: string): boolean => timingSafeEqual(Buffer.from(one), Buffer.from(other));

/** The token and its fleet, whatever their status is. @throws NotAllowed while all enrolment is closed, or for a stranger */
export const findAdmission = async (
  world: World,
  { fleet_id, token: secret }: { readonly fleet_id: string; readonly token: string },
): Promise<Admission> => {
  const token_id = tokenIdOf(secret);
  // All of it is read, whatever the first answer is, so that refusals take alike.
  const [control, token, fleet] = await Promise.all([
    readControl(world),
    findToken(world, token_id),
    findFleet(world, fleet_id),
  ]);
  if (isClosed(control)) throw enrolmentClosed(control?.reason);
  if (token === null || fleet === null || !isSame(token.token_id, token_id)) throw unknown();
  const status = tokenStatus(token, fleet, world.now());
  if (status === 'foreign') throw unknown();
  return { token, fleet, status };
};

/** @throws NotAllowed saying why it is not open */
export const mustBeOpen = ({ status }: Admission): void => {
  if (status !== 'open') throw new NotAllowed(refusals[status] ?? 'the token lets nobody in', 'token');
};

const stands = (world: World, table: 'endpoints' | 'controls', key: string, terms: readonly string[]): Check => ({
  item: {
    ConditionCheck: {
      TableName: tableName(world.deployment, table),
      Key: table === 'endpoints' ? { endpoint_id: key } : { control_id: key },
      ConditionExpression: terms.join(' AND '),
      ExpressionAttributeValues: { ':false': false },
    },
  },
  otherwise: 'again',
});

/** That fleet and token still let a node in; a single token is used up by it. */
export const admissionSteps = (world: World, { token, fleet }: Admission, agent_id: string): Step[] => {
  const key = endpointKeys.token(token.token_id);
  const decisive = unchanged(token.row, ['used_by', 'revoked', 'expires_at', 'fleet_created_at']);
  const used: Step =
    token.kind === 'single'
      ? {
          ...{ table: 'endpoints', key, row: token.row, action: 'enrolment_token_used' },
          set: { used_by: agent_id },
          condition: decisive,
        }
      : {
          item: {
            ConditionCheck: {
              TableName: tableName(world.deployment, 'endpoints'),
              Key: { endpoint_id: key },
              ConditionExpression: decisive.expression,
              ExpressionAttributeNames: decisive.names,
              ExpressionAttributeValues: decisive.values,
            },
          },
          otherwise: 'again',
        };
  const made = unchanged(fleet.row, ['created_at', 'closed']);
  return [
    used,
    {
      item: {
        ConditionCheck: {
          TableName: tableName(world.deployment, 'endpoints'),
          Key: { endpoint_id: endpointKeys.fleet(fleet.fleet_id) },
          ConditionExpression: made.expression,
          ExpressionAttributeNames: made.names,
          ExpressionAttributeValues: made.values,
        },
      },
      otherwise: 'again',
    },
    stands(world, 'controls', controlKeys.enrolment, ['(attribute_not_exists(closed) OR closed = :false)']),
  ];
};
