/** The signer's function as it finds itself: its key in KMS, the trust bundle in SSM. */
import { randomBytes } from 'node:crypto';
import type { Signer } from '../authority/sign.ts';
import { Unavailable } from '../errors.ts';
import { openAuthorityKey } from './kms.ts';
import { openParameters } from './parameters.ts';
import { deploymentFromEnvironment } from './world.ts';

let signer: Signer | undefined;

/** Built once for each execution environment; the key's public half does not change. */
export const openSigner = async (): Promise<Signer> => {
  if (signer !== undefined) return signer;
  const deployment = deploymentFromEnvironment();
  const keyId = process.env.CA_KEY_ID;
  if (!keyId) throw new Unavailable('CA_KEY_ID must name the authority’s key');
  const parameters = openParameters(deployment);
  signer = {
    deployment,
    now: Date.now,
    randomBytes: (size) => randomBytes(size),
    key: await openAuthorityKey(keyId),
    readBundle: async () => (await parameters.read('ca-cert')) ?? '',
  };
  return signer;
};
