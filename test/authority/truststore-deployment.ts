/** A truststore of its own in the shared emulator, with a key that stays here and a domain that is a variable. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { CreateBucketCommand, PutBucketVersioningCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SSMClient } from '@aws-sdk/client-ssm';
import type { PreparationWorld } from '../../src/authority/prepare.ts';
import { signRoot } from '../../src/authority/sign.ts';
import type { TruststoreWorld } from '../../src/authority/truststore.ts';
import type { DomainTruststore } from '../../src/aws/domain.ts';
import { openParameters, removeParameter } from '../../src/aws/parameters.ts';
import { openTruststore } from '../../src/aws/truststore.ts';
import { type Deployment, truststoreKey } from '../../src/names.ts';
import type { TestEmulator } from '../emulator.ts';
import { makeDeployment } from '../principal/deployment.ts';

/** A root certificate over a fresh key, which is forgotten after that. */
export const makeRoot = async (deployment: Deployment, now = Date.now()) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const root = async (): Promise<string> => {
    const signer = {
      deployment,
      now: () => now,
      randomBytes: (size: number) => randomBytes(size),
      key: { curve: 'P-256' as const, spki, sign: async (data: Uint8Array) => sign('sha256', data, privateKey) },
      readBundle: async () => '',
    };
    return (await signRoot(signer, { profile: 'root' })).pem;
  };
  return { spki, root };
};

export const sha256Of = (pem: string): string =>
  createHash('sha256')
    .update(Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'))
    .digest('hex');

export const makeTruststore = async (emulator: TestEmulator) => {
  const { world, deployment, put, row } = await makeDeployment(emulator);
  const bucket = `truststore-${randomBytes(6).toString('hex')}`;
  const s3 = emulator.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  await s3.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  const ssm = emulator.client(SSMClient);
  const own = await makeRoot(deployment);
  const domain: { state: DomainTruststore; updates: number } = {
    state: { version: undefined, settled: true, warnings: [] },
    updates: 0,
  };
  const shared = {
    ...world,
    truststore: openTruststore(bucket, s3),
    parameters: openParameters(deployment, ssm),
    ownKey: async () => own.spki,
    remaining_ms: () => 60_000,
    sleep: async () => undefined,
  };
  const update: TruststoreWorld = {
    ...shared,
    domain: {
      read: async () => domain.state,
      useVersion: async (version) => {
        domain.state = { ...domain.state, version };
        domain.updates += 1;
      },
    },
  };
  const prepare: PreparationWorld = {
    ...shared,
    signRoot: own.root,
    removeBundle: () => removeParameter(deployment, 'ca-cert', ssm),
    stackStatus: async () => 'CREATE_IN_PROGRESS',
  };
  const overwrite = (pem: string) => s3.send(new PutObjectCommand({ Bucket: bucket, Key: truststoreKey, Body: pem }));
  return { deployment, bucket, s3, own, domain, update, prepare, put, row, overwrite };
};

export type TestTruststore = Awaited<ReturnType<typeof makeTruststore>>;
