/** The world as a deployed function finds it: its environment, the clock, crypto's randomness, one DynamoDB client, the stamps' key. */
import { randomBytes } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { type Deployment, environmentWord, nameWord } from '../names.ts';
import type { World } from '../world.ts';
import { openStampKey } from './stamp-key.ts';

/** EVERLEAF_NAME and EVERLEAF_ENVIRONMENT, checked. @throws Error when the stack did not set them. */
export const deploymentFromEnvironment = (environment: NodeJS.ProcessEnv = process.env): Deployment => {
  const name = environment.EVERLEAF_NAME ?? '';
  const stage = environment.EVERLEAF_ENVIRONMENT ?? '';
  if (!nameWord.test(name) || !environmentWord.test(stage))
    throw new Error('EVERLEAF_NAME and EVERLEAF_ENVIRONMENT must name the deployment');
  return { name, environment: stage };
};

/**
 * Documents in and out of DynamoDB. Numbers never throw, however large a hand-edited one is; undefined is left out.
 * Calls are cut well before API Gateway's 29 s, so that a caller gets an answer.
 */
export const documentClient = (client: DynamoDBClient): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(client, {
    marshallOptions: { removeUndefinedValues: true },
    unmarshallOptions: { wrapNumbers: (digits) => Number(digits) },
  });

let world: World | undefined;

/** Built once for each execution environment. */
export const worldFromEnvironment = (): World => {
  if (world !== undefined) return world;
  const deployment = deploymentFromEnvironment();
  world = {
    deployment,
    now: Date.now,
    randomBytes: (size) => randomBytes(size),
    documents: documentClient(
      new DynamoDBClient({ maxAttempts: 4, requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000 } }),
    ),
    stampKey: openStampKey(deployment, { keyId: process.env.STAMP_KEY_ID }),
  };
  return world;
};
