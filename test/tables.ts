/** The tables that unit tests write to, with the keys and indexes of the deployed ones. */
import {
  type AttributeDefinition,
  CreateTableCommand,
  type DynamoDBClient,
  type GlobalSecondaryIndex,
} from '@aws-sdk/client-dynamodb';
import { certificateIndexes, type Deployment, type Table, tableName } from '../src/names.ts';

const keys = { principals: 'principal_id', certificates: 'serial_number', controls: 'control_id' } as const;

/** What a listing of certificates prints: what each index holds beside keys. */
export const listed = [
  'principal_id',
  'issued_at',
  'expires_at',
  'revoked',
  'revoked_at',
  'revocation_reason',
  'generation',
  'authority',
];

const index = (IndexName: string, hash: string, range: string): GlobalSecondaryIndex => ({
  IndexName,
  KeySchema: [
    { AttributeName: hash, KeyType: 'HASH' },
    { AttributeName: range, KeyType: 'RANGE' },
  ],
  Projection: {
    ProjectionType: 'INCLUDE',
    NonKeyAttributes: listed.filter((attribute) => attribute !== hash && attribute !== range),
  },
});

const indexes = [
  index(certificateIndexes.byPrincipal, 'principal_id', 'issued_at'),
  index(certificateIndexes.byExpiry, 'expiry_bucket', 'expires_at'),
  index(certificateIndexes.byPublicKey, 'public_key_sha256', 'issued_at'),
];
const indexed: AttributeDefinition[] = [
  ...['principal_id', 'expiry_bucket', 'public_key_sha256'].map((AttributeName) => ({
    AttributeName,
    AttributeType: 'S' as const,
  })),
  ...['issued_at', 'expires_at'].map((AttributeName) => ({ AttributeName, AttributeType: 'N' as const })),
];

export const createTables = async (client: DynamoDBClient, deployment: Deployment): Promise<void> => {
  for (const table of ['principals', 'certificates', 'controls'] satisfies Table[])
    await client.send(
      new CreateTableCommand({
        TableName: tableName(deployment, table),
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: keys[table], KeyType: 'HASH' }],
        AttributeDefinitions: [
          { AttributeName: keys[table], AttributeType: 'S' },
          ...(table === 'certificates' ? indexed : []),
        ],
        ...(table === 'certificates' ? { GlobalSecondaryIndexes: indexes } : {}),
      }),
    );
};
