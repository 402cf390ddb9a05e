/** An authority for tests: a key in memory where the deployed one has KMS, and the deployed one's code around it. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { AuthorityKey } from '../../src/authority/authority-key.ts';
import { type Signer, signLeaf, signRoot } from '../../src/authority/sign.ts';
import type { Sign } from '../../src/authority/sign-request.ts';
import type { Deployment } from '../../src/names.ts';

export const memoryKey = (curve: AuthorityKey['curve'] = 'P-256'): AuthorityKey => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve });
  const hash = curve === 'P-256' ? 'sha256' : 'sha384';
  return {
    curve,
    spki: publicKey.export({ format: 'der', type: 'spki' }),
    sign: async (data) => sign(hash, data, privateKey),
  };
};

export interface TestAuthority {
  readonly root: string;
  readonly sign: Sign;
}

/** A signer with its root made and published, as prepare-authority does it. */
export const makeAuthority = async (
  deployment: Deployment,
  { key = memoryKey(), now = Date.now }: { key?: AuthorityKey; now?: () => number } = {},
): Promise<TestAuthority> => {
  let bundle = '';
  const signer: Signer = {
    deployment,
    now,
    randomBytes: (size) => randomBytes(size),
    key,
    readBundle: async () => bundle,
  };
  bundle = (await signRoot(signer, { profile: 'root' })).pem;
  return { root: bundle, sign: (request) => signLeaf(signer, request) };
};
