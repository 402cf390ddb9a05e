/** The authority's key in KMS: it never leaves, and this is the only code that asks it to sign. */

import { createHash } from 'node:crypto';
import { GetPublicKeyCommand, KeySpec, KMSClient, SignCommand } from '@aws-sdk/client-kms';
import type { AuthorityKey } from '../authority/authority-key.ts';
import { Unavailable } from '../errors.ts';

const curves = {
  [KeySpec.ECC_NIST_P256]: { curve: 'P-256', hash: 'sha256', SigningAlgorithm: 'ECDSA_SHA_256' },
  [KeySpec.ECC_NIST_P384]: { curve: 'P-384', hash: 'sha384', SigningAlgorithm: 'ECDSA_SHA_384' },
} as const;

/** The key named by ARN. Its public half is read once by whoever keeps the result. @throws Unavailable for any other kind of key */
export const openAuthorityKey = async (
  KeyId: string,
  client = new KMSClient({ maxAttempts: 4 }),
): Promise<AuthorityKey> => {
  const { PublicKey, KeySpec: spec } = await client.send(new GetPublicKeyCommand({ KeyId }));
  const kind = spec === KeySpec.ECC_NIST_P256 || spec === KeySpec.ECC_NIST_P384 ? curves[spec] : undefined;
  if (PublicKey === undefined || kind === undefined)
    throw new Unavailable('the authority’s key is not an ECC signing key on P-256 or P-384');
  return {
    curve: kind.curve,
    spki: PublicKey,
    sign: async (data) => {
      const { Signature } = await client.send(
        new SignCommand({
          KeyId,
          Message: createHash(kind.hash).update(data).digest(),
          MessageType: 'DIGEST',
          SigningAlgorithm: kind.SigningAlgorithm,
        }),
      );
      if (Signature === undefined) throw new Unavailable('KMS did not sign');
      return Signature;
    },
  };
};
