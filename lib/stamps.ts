/** The key that row stamps are sealed with: no function but those that stamp, or judge stamps, can use it. */
import { Lazy, RemovalPolicy, Tags } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { Deployment } from '../src/names.ts';

export class Stamps extends Construct {
  readonly key: Key;
  private readonly roles: Role[] = [];

  constructor(scope: Construct, id: string, deployment: Deployment) {
    super(scope, id);
    this.key = new Key(this, 'Key', {
      description: `Row stamps of ${deployment.name} ${deployment.environment}`,
      keySpec: KeySpec.HMAC_256,
      keyUsage: KeyUsage.GENERATE_VERIFY_MAC,
      // Stamps are verified for as long as their rows stand, in whatever region those are restored to.
      multiRegion: true,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    Tags.of(this.key).add('everleaf:deployment', `${deployment.name}/${deployment.environment}`);
    Tags.of(this.key).add('everleaf:purpose', 'row-stamps');

    // Also against grants and policies made later: a denial in the key's own policy is above them all.
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'OnlyTheProductSeals',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['kms:GenerateMac', 'kms:VerifyMac'],
        resources: ['*'],
        conditions: {
          ArnNotEquals: {
            'aws:PrincipalArn': Lazy.list({ produce: () => this.roles.map(({ roleArn }) => roleArn) }),
          },
        },
      }),
    );
    // A replica would be the same key under a policy of its own.
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'NobodyReplicates',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['kms:ReplicateKey'],
        resources: ['*'],
      }),
    );
  }

  /** Lets the role derive the sealing key. Returns what its function's environment needs for that. */
  open(role: Role): { readonly STAMP_KEY_ID: string } {
    this.roles.push(role);
    role.addToPolicy(
      new PolicyStatement({
        actions: ['kms:GenerateMac'],
        resources: [this.key.keyArn],
        conditions: { StringEquals: { 'kms:MacAlgorithm': 'HMAC_SHA_256' } },
      }),
    );
    return { STAMP_KEY_ID: this.key.keyArn };
  }
}
