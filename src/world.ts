/** What a use case needs from outside: time, randomness, the tables. Tests hand in their own. */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Deployment } from './names.ts';

export interface World {
  readonly deployment: Deployment;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Cryptographically strong bytes. */
  readonly randomBytes: (size: number) => Uint8Array;
  readonly documents: DynamoDBDocumentClient;
  /** The 32 bytes that seal stamps; asked of KMS once. @throws when that fails; the next call asks again */
  readonly stampKey: () => Promise<Uint8Array>;
}
