/** What seals the stamps of the tests' worlds, and of the functions that tests call. */
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import type { Author } from '../src/audit/stamp.ts';
import { openStampKey } from '../src/aws/stamp-key.ts';
import type { Deployment } from '../src/names.ts';
import type { TestEmulator } from './emulator.ts';

export const testStampKey: Uint8Array = new Uint8Array(32).fill(7);

export const testAuthor: Author = { actor: 'function:test', request_id: 'a-request' };

/** Id of a new key in KMS, for STAMP_KEY_ID. */
export const makeStampKey = async (emulator: TestEmulator): Promise<string> => {
  const { KeyMetadata } = await emulator
    .client(KMSClient)
    .send(new CreateKeyCommand({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }));
  if (KeyMetadata?.KeyId === undefined) throw new Error('KMS made no key');
  return KeyMetadata.KeyId;
};

/** What functions derive from such a key, for worlds that work beside them. */
export const deriveStampKey = (emulator: TestEmulator, deployment: Deployment, keyId: string): Promise<Uint8Array> =>
  openStampKey(deployment, { keyId, client: emulator.client(KMSClient) })();
