/** The bucket of the audit's signed heads: what is written there stays as it is, whoever comes to own the account. */
import { Duration, Lazy, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectLockRetention, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { Deployment } from '../src/names.ts';

/** How long not even the account's root can take a head away. In `dev`, where deployments come and go, a day. */
const retention = ({ environment }: Deployment): Duration => Duration.days(environment === 'dev' ? 1 : 90);

export class Heads extends Construct {
  readonly bucket: Bucket;

  /** `writers` are asked for when the template is written. */
  constructor(scope: Construct, id: string, deployment: Deployment, writers: () => readonly (IRole | undefined)[]) {
    super(scope, id);
    this.bucket = new Bucket(this, 'Bucket', {
      versioned: true,
      objectLockEnabled: true,
      objectLockDefaultRetention: ObjectLockRetention.compliance(retention(deployment)),
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      // Also when its creation fails: one that holds a locked head cannot be deleted, and the attempt would be the next failure.
      removalPolicy: RemovalPolicy.RETAIN,
    });
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Server access logs would need a second bucket. Heads are public by nature: hashes and a signature. S3 data events of CloudTrail name whoever else writes here, and enter the audit, where an account records them.',
    });

    const deny = (sid: string, actions: string[], resources: string[], conditions?: Record<string, unknown>) =>
      this.bucket.addToResourcePolicy(
        new PolicyStatement({
          sid,
          effect: Effect.DENY,
          principals: [new AnyPrincipal()],
          actions,
          resources,
          ...(conditions === undefined ? {} : { conditions }),
        }),
      );
    const objects = [this.bucket.arnForObjects('*')];
    deny('OnlyTheAuditWrites', ['s3:PutObject'], objects, {
      ArnNotEquals: {
        'aws:PrincipalArn': Lazy.list({ produce: () => writers().flatMap((role) => role?.roleArn ?? []) }),
      },
    });
    // The lock keeps versions; this also keeps delete markers away, and what the lock forgets after its time.
    deny(
      'NobodyTakesAway',
      [
        's3:DeleteObject',
        's3:DeleteObjectVersion',
        's3:PutObjectRetention',
        's3:PutObjectLegalHold',
        's3:BypassGovernanceRetention',
      ],
      objects,
    );
    deny(
      'NobodyLoosens',
      ['s3:PutBucketObjectLockConfiguration', 's3:PutLifecycleConfiguration'],
      [this.bucket.bucketArn],
    );
  }
}
