/** The tables that unit tests write to: made from the template's own declarations. */
import { readFileSync } from 'node:fs';
import { CreateTableCommand, type CreateTableCommandInput, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type Deployment, type Table, tableName, tables } from '../src/names.ts';

const synthesised = { name: 'airunner', environment: 'prod' };
const { Resources } = JSON.parse(readFileSync(new URL('lib/everleaf.template.json', import.meta.url), 'utf8'));

/** What the template says of a table, as far as the emulator's reads, writes and streams depend on it. */
const declared = (table: Table): Omit<CreateTableCommandInput, 'TableName'> => {
  for (const { Type, Properties } of Object.values<{ Type: string; Properties: CreateTableCommandInput }>(Resources))
    if (Type === 'AWS::DynamoDB::Table' && Properties.TableName === tableName(synthesised, table)) {
      const { KeySchema, AttributeDefinitions, BillingMode, GlobalSecondaryIndexes, StreamSpecification } = Properties;
      const stream = StreamSpecification && {
        StreamSpecification: { StreamEnabled: true, StreamViewType: StreamSpecification.StreamViewType },
      };
      return { KeySchema, AttributeDefinitions, BillingMode, GlobalSecondaryIndexes, ...stream };
    }
  throw new Error(`the template has no table ${table}`);
};

export const createTables = async (
  client: DynamoDBClient,
  deployment: Deployment,
  which: readonly Table[] = tables,
): Promise<void> => {
  for (const table of which)
    await client.send(new CreateTableCommand({ TableName: tableName(deployment, table), ...declared(table) }));
};
