/** The world of whoever verifies and proves: the tables, the signed heads, and the public half of the key that signs them. */
import type { KeyObject } from 'node:crypto';
import type { HeadStore } from '../audit/head.ts';
import type { World } from '../world.ts';
import { openAuditKey } from './audit-key.ts';
import { required } from './environment.ts';
import { openHeads } from './heads.ts';
import { worldFromEnvironment } from './world.ts';

export interface VerifyingWorld extends World {
  readonly heads: HeadStore;
  readonly publicKey: () => Promise<KeyObject>;
}

let verifying: VerifyingWorld | undefined;

/** Built once for each execution environment: AUDIT_KEY_ID, HEADS_BUCKET. */
export const verifyingWorld = (): VerifyingWorld => {
  if (verifying === undefined) {
    const world = worldFromEnvironment();
    const { publicKey } = openAuditKey(required('AUDIT_KEY_ID'));
    const heads = openHeads(required('HEADS_BUCKET'), { deployment: world.deployment, publicKey });
    verifying = { ...world, heads, publicKey };
  }
  return verifying;
};
