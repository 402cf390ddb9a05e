/** The seven tables. On demand, restorable to any second, and gone only when the deployment that made them fails. */
import { RemovalPolicy } from 'aws-cdk-lib';
import {
  type Attribute,
  AttributeType,
  BillingMode,
  ProjectionType,
  StreamViewType,
  Table,
} from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import {
  auditByAction,
  certificateIndexes,
  type Deployment,
  endpointIndexes,
  type Table as TableName,
  tableName,
  tables,
} from '../src/names.ts';

const text = (name: string): Attribute => ({ name, type: AttributeType.STRING });
const number = (name: string): Attribute => ({ name, type: AttributeType.NUMBER });

const keys: Record<TableName, { partitionKey: Attribute; sortKey?: Attribute }> = {
  principals: { partitionKey: text('principal_id') },
  certificates: { partitionKey: text('serial_number') },
  endpoints: { partitionKey: text('endpoint_id') },
  jobs: { partitionKey: text('job_id') },
  credentials: { partitionKey: text('credential_id') },
  controls: { partitionKey: text('control_id') },
  audit: { partitionKey: text('chain'), sortKey: number('sequence') },
};

/** What a listing of certificates prints, and nothing that it does not. */
const listed = [
  'principal_id',
  'issued_at',
  'expires_at',
  'revoked',
  'revoked_at',
  'revocation_reason',
  'generation',
  'authority',
];

export class Tables extends Construct {
  readonly all: Readonly<Record<TableName, Table>>;

  constructor(scope: Construct, id: string, deployment: Deployment) {
    super(scope, id);
    const made = tables.map((name) => [name, this.table(deployment, name)] as const);
    this.all = Object.fromEntries(made) as Record<TableName, Table>;

    const certificates = this.all.certificates;
    const index = (indexName: string, partitionKey: Attribute, sortKey: Attribute) => {
      const own = new Set([partitionKey.name, sortKey.name]);
      certificates.addGlobalSecondaryIndex({
        indexName,
        partitionKey,
        sortKey,
        projectionType: ProjectionType.INCLUDE,
        nonKeyAttributes: listed.filter((attribute) => !own.has(attribute)),
      });
    };
    index(certificateIndexes.byPrincipal, text('principal_id'), number('issued_at'));
    index(certificateIndexes.byExpiry, text('expiry_bucket'), number('expires_at'));
    index(certificateIndexes.byPublicKey, text('public_key_sha256'), number('issued_at'));

    const keysOnly = (indexName: string, partitionKey: Attribute, sortKey: Attribute) =>
      this.all.endpoints.addGlobalSecondaryIndex({
        indexName,
        partitionKey,
        sortKey,
        projectionType: ProjectionType.KEYS_ONLY,
      });
    keysOnly(endpointIndexes.byListing, text('listing'), text('endpoint_id'));
    keysOnly(endpointIndexes.byExpiry, text('expiry_bucket'), number('expires_at'));
    keysOnly(endpointIndexes.byFleet, text('fleet_id'), text('endpoint_id'));
    keysOnly(endpointIndexes.byPolicy, text('policy_id'), text('endpoint_id'));

    this.all.audit.addGlobalSecondaryIndex({
      indexName: auditByAction,
      partitionKey: text('action'),
      sortKey: number('sequence'),
      projectionType: ProjectionType.KEYS_ONLY,
    });
  }

  private table(deployment: Deployment, name: TableName): Table {
    return new Table(this, name.charAt(0).toUpperCase() + name.slice(1), {
      ...keys[name],
      tableName: tableName(deployment, name),
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      // The audit covers every table but itself.
      ...(name === 'audit' ? {} : { stream: StreamViewType.NEW_AND_OLD_IMAGES }),
      // Of the audit the marks of events, never entries; of the endpoints' rows enrolment tokens, a month after their end.
      ...(name === 'audit' || name === 'endpoints' ? { timeToLiveAttribute: 'expires' } : {}),
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
  }
}
