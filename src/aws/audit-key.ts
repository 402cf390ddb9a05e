/** The key in KMS that signs the audit's heads and nothing else. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { GetPublicKeyCommand, KeySpec, KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { Unavailable } from '../errors.ts';

export interface AuditKey {
  /** Read once; it does not change. @throws Unavailable when the key is not an ECC signing key on P-256 */
  readonly publicKey: () => Promise<KeyObject>;
  /** ECDSA over SHA-256 of the bytes, DER. */
  readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>;
}

export const openAuditKey = (
  KeyId: string,
  client = new KMSClient({ maxAttempts: 4, requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000 } }),
): AuditKey => {
  let known: KeyObject | undefined;
  return {
    publicKey: async () => {
      if (known !== undefined) return known;
      const { PublicKey, KeySpec: spec } = await client.send(new GetPublicKeyCommand({ KeyId }));
      if (PublicKey === undefined || spec !== KeySpec.ECC_NIST_P256)
        throw new Unavailable('the heads’ key is not an ECC signing key on P-256');
      known = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
      return known;
    },
    sign: async (bytes) => {
      const { Signature } = await client.send(
        new SignCommand({ KeyId, Message: bytes, MessageType: 'RAW', SigningAlgorithm: 'ECDSA_SHA_256' }),
      );
      if (Signature === undefined) throw new Unavailable('KMS did not sign');
      return Signature;
    },
  };
};
