/** Makes an enrolment token. It is told once; the table has its hash. */
import { authorOf, type Caller } from '../access/caller.ts';
import { callerIsActive, callerStands } from '../access/caller-stands.ts';
import { type Check, transact } from '../aws/transact.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { day_ms } from '../certificate/lifetime.ts';
import { Conflict, InvalidInput } from '../errors.ts';
import { endpointKeys, listings, tableName } from '../names.ts';
import type { World } from '../world.ts';
import type { Fleet } from './fleet.ts';
import { getFleet } from './get-fleet.ts';
import { coversEndpoint } from './ids.ts';
import { newToken, type TokenInput, type TokenKind, tokenEnd, tokenIdOf } from './token.ts';

/** How long a token's row stays after its end: for whoever asks what became of it. */
export const kept_ms = 30 * day_ms;

/** For DynamoDB's time to live, seconds. */
export const rowExpires = (end: number): number => Math.ceil((end + kept_ms) / 1_000);

export interface MadeToken {
  readonly token: string;
  readonly token_id: string;
  readonly fleet_id: string;
  readonly kind: TokenKind;
  readonly endpoint_ids: readonly string[];
  /** Milliseconds since the epoch; absent: it has no end. */
  readonly expires_at?: number;
}

/** That the fleet is the one that was read, and as open. */
const fleetStands = (world: World, { fleet_id, created_at }: Fleet): Check => ({
  item: {
    ConditionCheck: {
      TableName: tableName(world.deployment, 'endpoints'),
      Key: { endpoint_id: endpointKeys.fleet(fleet_id) },
      ConditionExpression: 'created_at = :made AND closed = :false',
      ExpressionAttributeValues: { ':made': created_at, ':false': false },
    },
  },
  otherwise: 'again',
});

/** @throws NotFound on `fleet_id`; Conflict while the fleet is closed; InvalidInput on `endpoint_ids`; NotAllowed */
export const makeToken = (
  world: World,
  { caller, fleet_id, input }: { caller: Caller; fleet_id: string; input: TokenInput },
): Promise<MadeToken> =>
  untilSettled(world, async () => {
    const fleet = await getFleet(world, fleet_id);
    if (fleet.closed || fleet.created_at === undefined)
      throw new Conflict(`the fleet ${fleet_id} is closed; put it open first`, 'fleet_id');
    const endpoint_ids = input.endpoint_ids ?? fleet.endpoint_ids;
    const beyond = endpoint_ids.find((pattern) => !coversEndpoint(fleet.endpoint_ids, pattern));
    if (beyond !== undefined) throw new InvalidInput('endpoint_ids', `the fleet may not own ${beyond}`);
    const token = newToken(world.randomBytes);
    const token_id = tokenIdOf(token);
    const now = world.now();
    const end = tokenEnd(input, now);
    const put = {
      table: 'endpoints',
      key: endpointKeys.token(token_id),
      row: undefined,
      action: 'enrolment_token_made',
      set: {
        listing: listings.tokensOf(fleet_id),
        fleet: fleet_id,
        fleet_created_at: fleet.created_at,
        kind: input.kind,
        endpoint_ids,
        revoked: false,
        created_at: now,
        created_by: caller.principal_id,
        ...(end === undefined ? {} : { expires_at: end, expires: rowExpires(end) }),
      },
    } as const;
    const steps = [put, fleetStands(world, fleet), callerIsActive(world, caller), ...callerStands(world, caller)];
    if ((await transact(world, authorOf(caller), steps)) === 'again') return 'again';
    const made = { token, token_id, fleet_id, kind: input.kind, endpoint_ids };
    return end === undefined ? made : { ...made, expires_at: end };
  });
