/** The key that row stamps are sealed with: no function but those that stamp, or judge stamps, can use it. */
import type { Role } from 'aws-cdk-lib/aws-iam';
import { type Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { Deployment } from '../src/names.ts';
import { allow } from './function.ts';
import { ownKey } from './own-key.ts';

export class Stamps extends Construct {
  readonly key: Key;
  private readonly roles: Role[] = [];

  constructor(scope: Construct, id: string, deployment: Deployment) {
    super(scope, id);
    this.key = ownKey(this, deployment, {
      description: 'Row stamps',
      purpose: 'row-stamps',
      keySpec: KeySpec.HMAC_256,
      keyUsage: KeyUsage.GENERATE_VERIFY_MAC,
      reserved: {
        sid: 'OnlyTheProductSeals',
        actions: ['kms:GenerateMac', 'kms:VerifyMac'],
        roles: () => this.roles,
      },
    });
  }

  /** Lets the role derive the sealing key. Returns what its function's environment needs for that. */
  open(role: Role): { readonly STAMP_KEY_ID: string } {
    this.roles.push(role);
    const bySha256 = { StringEquals: { 'kms:MacAlgorithm': 'HMAC_SHA_256' } };
    role.addToPolicy(allow(['kms:GenerateMac'], [this.key.keyArn], bySha256));
    return { STAMP_KEY_ID: this.key.keyArn };
  }
}
