/** The heads' key in KMS: what it signs, anybody can check. */
import { verify } from 'node:crypto';
import { CreateKeyCommand, type KeySpec, KMSClient } from '@aws-sdk/client-kms';
import { expect, it } from 'vitest';
import { headVerifies, signHead } from '../../src/audit/head.ts';
import { openAuditKey } from '../../src/aws/audit-key.ts';
import { describeWithEmulator } from '../emulator.ts';

describeWithEmulator('the heads’ key', (emulator) => {
  const client = emulator.client(KMSClient);
  const make = async (Spec: KeySpec): Promise<string> => {
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec: Spec, KeyUsage: 'SIGN_VERIFY' }));
    return KeyMetadata?.KeyId ?? '';
  };

  it('signs heads that its public half verifies', async () => {
    const key = openAuditKey(await make('ECC_NIST_P256'), client);
    const publicKey = await key.publicKey();
    expect(await key.publicKey()).toBe(publicKey);
    const head = await signHead(
      { deployment: 'airunner/prod', size: 1, hash: 'a'.repeat(64), root: 'b'.repeat(64), signed_at: 1 },
      key.sign,
    );
    expect(headVerifies(publicKey, 'airunner/prod', head)).toBe(true);
    const bytes = Buffer.from('anything');
    expect(verify('sha256', bytes, publicKey, await key.sign(bytes))).toBe(true);
  });

  it('is refused when it is of another kind, and missed when it is not there', async () => {
    const other = openAuditKey(await make('ECC_NIST_P384'), client);
    await expect(other.publicKey()).rejects.toMatchObject({ name: 'Unavailable' });
    const missing = openAuditKey('1234abcd-12ab-34cd-56ef-1234567890ab', client);
    await expect(missing.publicKey()).rejects.toMatchObject({ name: 'NotFoundException' });
  });
});
