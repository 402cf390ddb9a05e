/** The audit: the chain's writers, the key and the bucket of its signed heads, and what verifies it every day. */
import { Duration, Lazy, Stack, Validations } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Bucket, CfnBucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { auditedTables, auditKeys, type Deployment, headsPrefix } from '../src/names.ts';
import type { Authority } from './authority.ts';
import { deadLetters, sendTo } from './dead-letters.ts';
import { addFunction, allow, onlyRows, wholeProcessor } from './function.ts';
import { Heads } from './heads.ts';
import { ownKey } from './own-key.ts';
import type { Stamps } from './stamps.ts';
import { addStateMachine } from './state-machine.ts';
import type { Tables } from './tables.ts';

interface AuditProps {
  readonly deployment: Deployment;
  readonly domain: string;
  readonly tables: Tables;
  readonly stamps: Stamps;
  readonly authority: Authority;
}

export class Audit extends Construct {
  readonly key: Key;
  readonly heads: Bucket;
  readonly deadLetters: Queue;
  /** Enters what the tables' streams tell. */
  readonly appendChanges: IFunction;
  /** Enters what CloudTrail tells of everything else. */
  readonly appendOutsideChange: IFunction;
  readonly reconcile: IFunction;
  readonly continueVerification: IFunction;
  readonly verification: StateMachine;
  /** Functions that change things of the deployment outside its tables, for themselves and not for a break-in. */
  readonly ownWriters: IFunction[] = [];
  /** What a function's environment needs to read the heads and to know them from others'. */
  readonly environment: Readonly<Record<'AUDIT_KEY_ID' | 'HEADS_BUCKET', string>>;
  private readonly table: string;

  constructor(scope: Construct, id: string, { deployment, domain, tables, stamps, authority }: AuditProps) {
    super(scope, id);
    this.table = tables.all.audit.tableArn;
    const audited = auditedTables.map((name) => tables.all[name]);
    const signers = (): readonly IFunction[] => [this.appendChanges, this.appendOutsideChange, this.reconcile];

    this.key = ownKey(this, deployment, {
      description: 'Signed heads of the audit',
      purpose: 'audit-heads',
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      reserved: { sid: 'OnlyTheAuditSigns', actions: ['kms:Sign'], roles: () => signers().map(({ role }) => role) },
    });
    this.heads = new Heads(this, 'Heads', deployment, () => signers().map(({ role }) => role)).bucket;
    this.environment = { AUDIT_KEY_ID: this.key.keyArn, HEADS_BUCKET: this.heads.bucketName };
    this.deadLetters = deadLetters(this);

    const onAudit = (rows: readonly string[], ...actions: string[]): PolicyStatement =>
      allow(
        actions.map((action) => `dynamodb:${action}`),
        [this.table],
        onlyRows(...rows),
      );
    // Entries are put and never updated or deleted: no role of the stack can.
    const appending = [
      onAudit([auditKeys.chain], 'Query'),
      onAudit([auditKeys.chain, auditKeys.allSeen], 'BatchGetItem', 'PutItem'),
      onAudit([auditKeys.turn], 'UpdateItem'),
      ...this.readHeads(),
      allow(['s3:PutObject'], [this.heads.arnForObjects(`${headsPrefix}*`)]),
      allow(['kms:Sign'], [this.key.keyArn], {
        StringEquals: { 'kms:SigningAlgorithm': 'ECDSA_SHA_256', 'kms:MessageType': 'RAW' },
      }),
    ];
    const onFailure = { onFailure: sendTo(this.deadLetters) };
    const mayFail = allow(['sqs:SendMessage'], [this.deadLetters.queueArn]);

    this.appendChanges = addFunction(this, deployment, {
      entry: 'audit/append-changes',
      description: 'Enters every change of the audited tables in the chain, from their streams',
      timeout: Duration.minutes(2),
      environment: this.environment,
      stamps,
      grants: [
        allow(
          ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator', 'dynamodb:ListStreams'],
          audited.flatMap(({ tableStreamArn }) => tableStreamArn ?? []),
        ),
        ...appending,
        mayFail,
      ],
    });
    this.appendOutsideChange = addFunction(this, deployment, {
      entry: 'audit/append-outside-change',
      description: 'Enters what is changed outside the tables in the chain, from CloudTrail',
      timeout: Duration.minutes(1),
      stamps,
      environment: {
        ...this.environment,
        CA_KEY_ID: authority.key.keyArn,
        TRUSTSTORE_BUCKET: authority.truststore.bucketName,
        DOMAIN_NAME: domain,
        WRITER_ROLE_NAMES: Lazy.string({
          produce: () => [...signers(), ...this.ownWriters].flatMap(({ role }) => role?.roleName ?? []).join(),
        }),
      },
      grants: [...appending, mayFail],
      ...onFailure,
    });
    this.reconcile = addFunction(this, deployment, {
      entry: 'audit/reconcile-audit',
      description: 'Compares the audited tables with what the chain says of them, every day',
      timeout: Duration.minutes(15),
      memory: wholeProcessor,
      environment: this.environment,
      stamps,
      grants: [
        allow(
          ['dynamodb:Scan', 'dynamodb:BatchGetItem'],
          audited.map(({ tableArn }) => tableArn),
        ),
        ...appending,
        mayFail,
      ],
      ...onFailure,
    });

    this.continueVerification = addFunction(this, deployment, {
      entry: 'audit/continue-verification',
      description: 'Verifies the audit chain, half a minute of it at a time',
      timeout: Duration.minutes(15),
      memory: wholeProcessor,
      environment: this.environment,
      stamps,
      grants: [this.readChain('Query', 'BatchGetItem'), ...this.readHeads()],
    });
    this.verification = addStateMachine(this, deployment, {
      name: 'verify-audit',
      does: 'Verifies the audit chain, however long it is',
      runs: { ContinueVerification: this.continueVerification },
    });

    // On all of the deployment, since its API's functions read heads, too.
    const bucketId = Stack.of(this).getLogicalId(this.heads.node.defaultChild as CfnBucket);
    Validations.of(scope).acknowledge({
      id: `AwsSolutions-IAM5[Resource::<${bucketId}.Arn>/${headsPrefix}*]`,
      reason: 'A head is named after what it is of: its size and hash, which nobody knows before.',
    });
  }

  /** What reading the chain's entries takes. */
  readChain(...actions: ('Query' | 'BatchGetItem')[]): PolicyStatement {
    return allow(
      actions.map((action) => `dynamodb:${action}`),
      [this.table],
      onlyRows(auditKeys.chain),
    );
  }

  /** What reading the signed heads takes. */
  readHeads(): PolicyStatement[] {
    return [
      allow(['s3:ListBucketVersions'], [this.heads.bucketArn], { StringEquals: { 's3:prefix': headsPrefix } }),
      allow(['s3:GetObjectVersion'], [this.heads.arnForObjects(`${headsPrefix}*`)]),
      allow(['kms:GetPublicKey'], [this.key.keyArn]),
    ];
  }
}
