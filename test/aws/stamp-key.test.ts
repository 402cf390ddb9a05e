/** The stamps' key: the same 32 bytes for every function of a deployment, others for another, asked for once. */
import { CreateKeyCommand, GenerateMacCommand, KMSClient } from '@aws-sdk/client-kms';
import { expect, test, vi } from 'vitest';
import { openStampKey, stampKeyMessage } from '../../src/aws/stamp-key.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeStampKey } from '../stamps.ts';

describeWithEmulator('the key of the stamps', (emulator) => {
  const deployment = { name: 'everleaf', environment: 'dev' };
  const client = emulator.client(KMSClient);

  test('is the same in each environment, and another for each deployment and each key', async () => {
    const keyId = await makeStampKey(emulator);
    const key = await openStampKey(deployment, { keyId, client })();
    expect(key).toHaveLength(32);
    expect(await openStampKey(deployment, { keyId, client })()).toEqual(key);
    expect(await openStampKey({ ...deployment, environment: 'prod' }, { keyId, client })()).not.toEqual(key);
    expect(await openStampKey(deployment, { keyId: await makeStampKey(emulator), client })()).not.toEqual(key);
  });

  test('is what KMS makes of a message that names the deployment', async () => {
    const KeyId = await makeStampKey(emulator);
    expect(stampKeyMessage(deployment)).toBe('everleaf stamp key 1 everleaf/dev');
    const { Mac } = await client.send(
      new GenerateMacCommand({
        KeyId,
        MacAlgorithm: 'HMAC_SHA_256',
        Message: Buffer.from('everleaf stamp key 1 everleaf/dev'),
      }),
    );
    expect(await openStampKey(deployment, { keyId: KeyId, client })()).toEqual(Mac);
  });

  test('is asked of KMS once, also when many ask at the same time', async () => {
    const kms = emulator.client(KMSClient);
    const send = vi.spyOn(kms, 'send');
    const stampKey = openStampKey(deployment, { keyId: await makeStampKey(emulator), client: kms });
    expect(send).not.toHaveBeenCalled();
    const [first, ...others] = await Promise.all(Array.from({ length: 5 }, stampKey));
    for (const other of [...others, await stampKey()]) expect(other).toBe(first);
    expect(send).toHaveBeenCalledTimes(1);
  });

  test('is asked for again after a failure', async () => {
    const kms = emulator.client(KMSClient);
    vi.spyOn(kms, 'send').mockImplementationOnce(() => {
      throw new Error('no connection');
    });
    const stampKey = openStampKey(deployment, { keyId: await makeStampKey(emulator), client: kms });
    await expect(stampKey()).rejects.toThrow('no connection');
    expect(await stampKey()).toHaveLength(32);
  });

  test('is missed only by who asks, in words, where none is named', async () => {
    const stampKey = openStampKey(deployment, { keyId: undefined, client });
    await expect(stampKey()).rejects.toThrow('STAMP_KEY_ID');
    await expect(openStampKey(deployment, { keyId: '', client })()).rejects.toThrow('STAMP_KEY_ID');
  });

  test('of another length is refused', async () => {
    const { KeyMetadata } = await client.send(
      new CreateKeyCommand({ KeySpec: 'HMAC_512', KeyUsage: 'GENERATE_VERIFY_MAC' }),
    );
    await expect(openStampKey(deployment, { keyId: KeyMetadata?.KeyId, client })()).rejects.toThrow();
  });
});
