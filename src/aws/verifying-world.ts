/** The world of whoever verifies and proves: the tables, the signed heads, and the public half of the key that signs them. */
import type { ProvingWorld } from '../audit/prove.ts';
import type { VerifyingWorld } from '../audit/verify-chain.ts';
import { openAuditKey } from './audit-key.ts';
import { required } from './environment.ts';
import { openHeads } from './heads.ts';
import { worldFromEnvironment } from './world.ts';

let verifying: (VerifyingWorld & ProvingWorld) | undefined;

/** Built once for each execution environment: AUDIT_KEY_ID, HEADS_BUCKET. */
export const verifyingWorld = (): VerifyingWorld & ProvingWorld => {
  if (verifying === undefined) {
    const world = worldFromEnvironment();
    const { publicKey } = openAuditKey(required('AUDIT_KEY_ID'));
    const heads = openHeads(required('HEADS_BUCKET'), { deployment: world.deployment, publicKey });
    verifying = { ...world, heads, publicKey };
  }
  return verifying;
};
