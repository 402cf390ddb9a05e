/** A key of the deployment's own: what it is for, only certain roles may do with it, whatever other policies come to say. */
import { Lazy, RemovalPolicy, Tags } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key, type KeySpec, type KeyUsage } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { Deployment } from '../src/names.ts';

interface OwnKeySpec {
  readonly description: string;
  /** Value of the tag everleaf:purpose, by which a key is found when its stack is gone. */
  readonly purpose: string;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  /** What the roles may do and everybody else is denied. They are asked for when the template is written. */
  readonly reserved: {
    readonly sid: string;
    readonly actions: readonly string[];
    readonly roles: () => readonly (IRole | undefined)[];
  };
}

/** Lives on when a region fails, since a key is multi-region from birth or never, and when its stack is deleted. */
export function ownKey(scope: Construct, { name, environment }: Deployment, spec: OwnKeySpec): Key {
  const { sid, actions, roles } = spec.reserved;
  const key = new Key(scope, 'Key', {
    description: `${spec.description} of ${name} ${environment}`,
    keySpec: spec.keySpec,
    keyUsage: spec.keyUsage,
    multiRegion: true,
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  });
  Tags.of(key).add('everleaf:deployment', `${name}/${environment}`);
  Tags.of(key).add('everleaf:purpose', spec.purpose);

  const deny = (deniedSid: string, denied: readonly string[], conditions?: Record<string, unknown>) =>
    key.addToResourcePolicy(
      new PolicyStatement({
        sid: deniedSid,
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: [...denied],
        resources: ['*'],
        ...(conditions === undefined ? {} : { conditions }),
      }),
    );
  // Also against grants and policies made later: a denial in the key's own policy is above them all.
  deny(sid, actions, {
    ArnNotEquals: { 'aws:PrincipalArn': Lazy.list({ produce: () => roles().flatMap((role) => role?.roleArn ?? []) }) },
  });
  // A replica would be the same key under a policy of its own.
  deny('NobodyReplicates', ['kms:ReplicateKey']);
  return key;
}
