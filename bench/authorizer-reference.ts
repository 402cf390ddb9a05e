/** What the gate is measured against: the same decision with the SDK's client and powertools' logger, as one would write it first. */
import { Logger } from '@aws-lambda-powertools/logger';
import { BatchGetItemCommand, DynamoDBClient, type KeysAndAttributes } from '@aws-sdk/client-dynamodb';
import type { APIGatewayAuthorizerResult, APIGatewayRequestAuthorizerEvent } from 'aws-lambda';
import { allowAnswer, denyAnswer, stageResource } from '../src/access/answer.ts';
import { rememberCertificates } from '../src/access/certificate.ts';
import { decide, type Item, unreadableCertificate } from '../src/access/decide.ts';
import { controlKeys, type Deployment, generationCopies, tableName } from '../src/names.ts';

type Send = (command: BatchGetItemCommand) => Promise<{ Responses?: Record<string, (Item | undefined)[]> | undefined }>;

export const deploymentOf = (environment: NodeJS.ProcessEnv): Deployment => ({
  name: environment.EVERLEAF_NAME ?? '',
  environment: environment.EVERLEAF_ENVIRONMENT ?? '',
});
const deployment = deploymentOf(process.env);
const tables = {
  principal: tableName(deployment, 'principals'),
  certificate: tableName(deployment, 'certificates'),
  generation: tableName(deployment, 'controls'),
};

const key = (name: string, value: string, projection: string): KeysAndAttributes => ({
  Keys: [{ [name]: { S: value } }],
  ConsistentRead: true,
  ProjectionExpression: projection,
});

/** `send` is the client's; the benchmark of the decision alone hands in one that answers at once. */
export const referenceAuthorizer = (send: Send) => {
  const logger = new Logger();
  const certificates = rememberCertificates();
  let successes = 0;
  let told = 0;

  return async (event: APIGatewayRequestAuthorizerEvent): Promise<APIGatewayAuthorizerResult> => {
    const resource = stageResource(event.methodArn);
    const { certificate } = certificates(event.requestContext.identity.clientCert?.clientCertPem ?? '');
    if (!certificate) return denyAnswer(resource, unreadableCertificate.message);
    const { Responses = {} } = await send(
      new BatchGetItemCommand({
        RequestItems: {
          [tables.principal]: {
            ...key('principal_id', certificate.commonName ?? 'unknown', 'principal_id,#s,#t,suspended_reason'),
            ExpressionAttributeNames: { '#s': 'status', '#t': 'type' },
          },
          [tables.certificate]: key(
            'serial_number',
            certificate.serial_number,
            'serial_number,principal_id,fingerprint,generation,expires_at,revoked,revocation_reason',
          ),
          [tables.generation]: {
            ...key(
              'control_id',
              controlKeys.generation(Math.floor(Math.random() * generationCopies)),
              'control_id,generation,#r,exempt_serials',
            ),
            ExpressionAttributeNames: { '#r': 'reason' },
          },
        },
      }),
    );
    const now = Date.now();
    const decision = decide(
      deployment,
      certificate,
      {
        principal: Responses[tables.principal]?.[0],
        certificate: Responses[tables.certificate]?.[0],
        generation: Responses[tables.generation]?.[0],
      },
      now,
    );
    if (decision.outcome === 'unavailable') throw new Error(decision.cause);
    if (decision.outcome === 'deny') {
      logger.warn(`authentication error: ${decision.message}`, {
        principal_id: certificate.commonName ?? 'unknown',
        serial: certificate.serial_number,
        result: decision.result,
        principal_type: decision.principal_type,
        mtls_auth_total: 1,
      });
      return denyAnswer(resource, decision.message);
    }
    successes++;
    if (now - told >= 60_000) {
      logger.info('authentication successes', { mtls_auth_total: successes });
      successes = 0;
      told = now;
    }
    return allowAnswer(resource, decision);
  };
};

/** A deployed function's. */
export const handler = (() => {
  const client = new DynamoDBClient({});
  return referenceAuthorizer((command) => client.send(command));
})();
