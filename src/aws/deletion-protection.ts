/** Deletion protection of tables, switched and waited for. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeTableCommand,
  DynamoDBClient,
  ResourceNotFoundException,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';

const poll_ms = 1_000;

/** Returns when every table is as wanted and at rest, so that it can be deleted if that is next. Missing ones count as unprotected. */
export const switchDeletionProtection = async (
  tables: readonly string[],
  protection: 'on' | 'off',
  client = new DynamoDBClient({ maxAttempts: 6 }),
): Promise<void> => {
  for (const TableName of tables) {
    try {
      for (let asked = false; ; await sleep(poll_ms)) {
        const { Table } = await client.send(new DescribeTableCommand({ TableName }));
        if (Table?.TableStatus !== 'ACTIVE') continue;
        if ((Table.DeletionProtectionEnabled ?? false) === (protection === 'on')) break;
        if (asked) continue;
        await client.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: protection === 'on' }));
        asked = true;
      }
    } catch (error) {
      if (protection === 'on' || !(error instanceof ResourceNotFoundException)) throw error;
    }
  }
};
