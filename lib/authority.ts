/** The certificate authority: a key that never leaves KMS, the one role that may sign with it, and the truststore. */
import { ArnFormat, CustomResource, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { type Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import {
  certificateIndexes,
  controlKeys,
  type Deployment,
  functionName,
  type InternalFunction,
  leasedThings,
  type Parameter,
  parameterName,
  truststoreKey,
} from '../src/names.ts';
import { addFunction, allow, onlyRows } from './function.ts';
import { ownKey } from './own-key.ts';
import type { Stamps } from './stamps.ts';
import type { Tables } from './tables.ts';

/** An audited row is read, then made or changed. */
const readAndWrite = ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'];

interface AuthorityProps {
  readonly deployment: Deployment;
  readonly domain: string;
  readonly tables: Tables;
  readonly stamps: Stamps;
}

export class Authority extends Construct {
  readonly key: Key;
  readonly truststore: Bucket;
  readonly signer: IFunction;
  /** Functions that change the truststore or parameters. */
  readonly writers: readonly IFunction[];
  /** Once this is there, the truststore holds the root and the gate its generation. */
  readonly prepared: CustomResource;

  constructor(scope: Construct, id: string, { deployment, domain, tables, stamps }: AuthorityProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const parameters = (...names: Parameter[]): string[] =>
      names.map((name) =>
        stack.formatArn({
          service: 'ssm',
          resource: 'parameter',
          resourceName: parameterName(deployment, name).slice(1),
        }),
      );
    const internal = (name: InternalFunction): string =>
      stack.formatArn({
        service: 'lambda',
        resource: 'function',
        resourceName: functionName(deployment, name),
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
    const { principals, certificates, controls } = tables.all;

    this.key = ownKey(this, deployment, {
      description: 'Certificate authority',
      purpose: 'certificate-authority',
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      reserved: { sid: 'OnlyTheSignerSigns', actions: ['kms:Sign'], roles: () => [this.signer.role] },
    });

    this.truststore = new Bucket(this, 'Truststore', {
      versioned: true,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });

    Validations.of(this.truststore).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Server access logs would need a second bucket that outlives a failed first deployment. The object holds public certificates only, has one writer, keeps every version, and S3 data events of CloudTrail name its readers where an account wants that.',
    });

    const signer = addFunction(this, deployment, {
      entry: 'authority/sign-certificate',
      description: 'Signs certificates with the authority key; no other role may',
      functionName: functionName(deployment, 'sign-certificate'),
      timeout: Duration.seconds(20),
      environment: { CA_KEY_ID: this.key.keyArn },
      grants: [
        allow(['kms:Sign'], [this.key.keyArn], { StringEquals: { 'kms:SigningAlgorithm': 'ECDSA_SHA_256' } }),
        allow(['kms:GetPublicKey'], [this.key.keyArn]),
        allow(['ssm:GetParameter'], parameters('ca-cert')),
      ],
    });
    this.signer = signer;

    addFunction(this, deployment, {
      entry: 'authority/issue-admin-certificate',
      stamps,
      description: 'Issues the certificates of admin-bootstrap and admin-emergency for `everleaf bootstrap`',
      functionName: functionName(deployment, 'issue-admin-certificate'),
      timeout: Duration.seconds(60),
      grants: [
        allow(['lambda:InvokeFunction'], [internal('sign-certificate')]),
        allow(readAndWrite, [principals.tableArn]),
        allow(['dynamodb:BatchGetItem', 'dynamodb:PutItem', 'dynamodb:ConditionCheckItem'], [certificates.tableArn]),
        allow(['dynamodb:Query'], [`${certificates.tableArn}/index/${certificateIndexes.byPublicKey}`]),
        allow(
          ['dynamodb:ConditionCheckItem', 'dynamodb:GetItem'],
          [controls.tableArn],
          onlyRows(controlKeys.generations, controlKeys.keys),
        ),
        allow(['dynamodb:PutItem'], [controls.tableArn], onlyRows(controlKeys.keys)),
        allow(readAndWrite, [controls.tableArn], onlyRows(controlKeys.admins)),
      ],
    });

    const renewServer = addFunction(this, deployment, {
      entry: 'authority/renew-server-certificate',
      stamps,
      description: 'Makes the server key and certificate and keeps them in SSM',
      functionName: functionName(deployment, 'renew-server-certificate'),
      timeout: Duration.seconds(60),
      environment: { DOMAIN_NAME: domain },
      grants: [
        allow(['lambda:InvokeFunction'], [internal('sign-certificate')]),
        allow(readAndWrite, [controls.tableArn], onlyRows(controlKeys.lease(leasedThings.serverCertificate))),
        allow(['ssm:PutParameter'], parameters('server-key', 'server-cert')),
      ],
    });

    const domainArn = stack.formatArn({
      service: 'apigateway',
      account: '',
      resource: '/domainnames',
      resourceName: domain,
    });
    const truststoreObject = this.truststore.arnForObjects(truststoreKey);
    const updateTruststore = addFunction(this, deployment, {
      entry: 'authority/update-truststore',
      stamps,
      description: 'Adds and removes the certificate authorities that the domain accepts',
      functionName: functionName(deployment, 'update-truststore'),
      timeout: Duration.minutes(3),
      environment: { CA_KEY_ID: this.key.keyArn, TRUSTSTORE_BUCKET: this.truststore.bucketName, DOMAIN_NAME: domain },
      grants: [
        allow(['kms:DescribeKey', 'kms:GetPublicKey'], [this.key.keyArn]),
        allow(readAndWrite, [controls.tableArn], onlyRows(controlKeys.lease(leasedThings.truststore))),
        allow(['s3:GetObject', 's3:GetObjectVersion', 's3:PutObject'], [truststoreObject]),
        allow(['ssm:GetParameter', 'ssm:PutParameter'], parameters('ca-cert')),
        allow(['apigateway:GET', 'apigateway:PATCH'], [domainArn]),
        // Asked for besides, of whoever changes what a domain trusts: on the domain or on all of them, which AWS does not say.
        allow(
          ['apigateway:AddCertificateToDomain', 'apigateway:RemoveCertificateFromDomain'],
          [domainArn, domainArn.slice(0, domainArn.lastIndexOf('/'))],
        ),
      ],
    });

    const prepare = addFunction(this, deployment, {
      entry: 'authority/prepare-authority',
      stamps,
      description: 'Makes the root certificate, the first truststore and generation 0 before the domain exists',
      timeout: Duration.minutes(3),
      retryAttempts: 0,
      environment: { CA_KEY_ID: this.key.keyArn, TRUSTSTORE_BUCKET: this.truststore.bucketName },
      grants: [
        allow(['kms:DescribeKey', 'kms:GetPublicKey'], [this.key.keyArn]),
        allow(['lambda:InvokeFunction'], [internal('sign-certificate')]),
        allow(readAndWrite, [controls.tableArn], onlyRows(controlKeys.lease(leasedThings.truststore))),
        allow(['dynamodb:BatchGetItem', 'dynamodb:PutItem'], [controls.tableArn], onlyRows(controlKeys.generations)),
        allow(['s3:GetObject', 's3:PutObject', 's3:DeleteObjectVersion'], [truststoreObject]),
        // Without it a truststore that is not there yet reads as forbidden instead of missing.
        allow(['s3:ListBucket', 's3:ListBucketVersions'], [this.truststore.bucketArn]),
        allow(['ssm:GetParameter', 'ssm:PutParameter', 'ssm:DeleteParameter'], parameters('ca-cert')),
        allow(['cloudformation:DescribeStacks'], [stack.stackId]),
      ],
    });
    this.writers = [renewServer, updateTruststore, prepare];
    this.prepared = new CustomResource(this, 'Prepared', {
      resourceType: 'Custom::PreparedAuthority',
      serviceToken: prepare.functionArn,
      serviceTimeout: Duration.minutes(5),
    });
    this.prepared.node.addDependency(prepare, signer, this.key, this.truststore, controls);
  }
}
