/** A change is carried only by a caller that still stands when it is written: active, unrevoked, of the gate's generation. */
import type { Step } from '../aws/transact.ts';
import { NotAllowed } from '../errors.ts';
import { controlKeys, generationCopies, tableName } from '../names.ts';
import type { World } from '../world.ts';
import type { Caller } from './caller.ts';

/** ConditionCheck of one of the generation's copies, a random one: checks of one item by many transactions conflict. */
export const generationIs = (world: World, generation: number): Step => {
  const copy = (world.randomBytes(1)[0] ?? 0) % generationCopies;
  return {
    item: {
      ConditionCheck: {
        TableName: tableName(world.deployment, 'controls'),
        Key: { control_id: controlKeys.generation(copy) },
        ConditionExpression: 'generation = :generation',
        ExpressionAttributeValues: { ':generation': generation },
      },
    },
    otherwise: new NotAllowed('an emergency began meanwhile; try again'),
  };
};

/** ConditionCheck for the caller's certificate; left out where the same transaction changes that very row. */
export const callerCertificateStands = (world: World, caller: Caller): Step => ({
  item: {
    ConditionCheck: {
      TableName: tableName(world.deployment, 'certificates'),
      Key: { serial_number: caller.serial_number },
      ConditionExpression: 'revoked = :false AND principal_id = :caller AND attribute_exists(fingerprint)',
      ExpressionAttributeValues: { ':false': false, ':caller': caller.principal_id },
    },
  },
  otherwise: new NotAllowed('the certificate of this request was revoked meanwhile'),
});

/** ConditionChecks for the caller's certificate and the generation. The caller's principal: `callerIsActive`. */
export const callerStands = (world: World, caller: Caller): Step[] => [
  generationIs(world, caller.generation),
  callerCertificateStands(world, caller),
];

/** ConditionCheck for the caller's principal; left out where the same transaction changes that very row. */
export const callerIsActive = (world: World, caller: Caller): Step => ({
  item: {
    ConditionCheck: {
      TableName: tableName(world.deployment, 'principals'),
      Key: { principal_id: caller.principal_id },
      ConditionExpression: '#status = :active AND #type = :type',
      ExpressionAttributeNames: { '#status': 'status', '#type': 'type' },
      ExpressionAttributeValues: { ':active': 'active', ':type': caller.principal_type },
    },
  },
  otherwise: new NotAllowed('the principal of this request was suspended meanwhile'),
});
