/** The stack's own key in KMS, as those see it who may not sign with it. */
import { DescribeKeyCommand, GetPublicKeyCommand, KMSClient } from '@aws-sdk/client-kms';

/** Its public half (DER); null when the key is not enabled. */
export const readOwnKey = async (
  KeyId: string,
  client = new KMSClient({ maxAttempts: 4 }),
): Promise<Uint8Array | null> => {
  const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId }));
  if (KeyMetadata?.KeyState !== 'Enabled') return null;
  return (await client.send(new GetPublicKeyCommand({ KeyId }))).PublicKey ?? null;
};
