/** The key that seals the stamps: made by KMS anew in each execution environment, the same each time, kept nowhere. */
import { GenerateMacCommand, KMSClient } from '@aws-sdk/client-kms';
import type { Deployment } from '../names.ts';

const length = 32;

/** What the HMAC key in KMS is asked to seal. */
export const stampKeyMessage = ({ name, environment }: Deployment): string =>
  `everleaf stamp key 1 ${name}/${environment}`;

export interface StampKeySource {
  /** Names an HMAC_256 key in KMS. */
  readonly keyId: string | undefined;
  readonly client?: KMSClient;
}

const buildClient = (): KMSClient =>
  new KMSClient({ maxAttempts: 4, requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000 } });

const derive = async (
  deployment: Deployment,
  { keyId: KeyId, client = buildClient() }: StampKeySource,
): Promise<Uint8Array> => {
  if (!KeyId) throw new Error('STAMP_KEY_ID must name the key that seals the stamps');
  const { Mac } = await client.send(
    new GenerateMacCommand({
      KeyId,
      MacAlgorithm: 'HMAC_SHA_256',
      Message: Buffer.from(stampKeyMessage(deployment), 'utf8'),
    }),
  );
  if (Mac?.length !== length) throw new Error(`the stamps' key is not of ${length} bytes`);
  return Mac;
};

/**
 * 32 bytes, asked for when first needed. A try that fails is not remembered.
 * @throws Error when no key is named; KMS's own errors
 */
export const openStampKey = (deployment: Deployment, source: StampKeySource): (() => Promise<Uint8Array>) => {
  let asked: Promise<Uint8Array> | undefined;
  return () => {
    asked ??= derive(deployment, source).catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
};
