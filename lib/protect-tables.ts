/** Switches the tables' deletion protection on when everything else stands, so that a failed deployment leaves no orphan. */
import { CustomResource, Duration, Stack } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct, type IConstruct } from 'constructs';
import type { Deployment } from '../src/names.ts';
import { addFunction, allow } from './function.ts';
import type { Tables } from './tables.ts';

export function protectTables(
  scope: Construct,
  deployment: Deployment,
  { tables, after }: { tables: Tables; after: readonly IConstruct[] },
): { readonly resource: CustomResource; readonly writer: IFunction } {
  const own = new Construct(scope, 'Protection');
  const all = Object.values(tables.all);
  const protect = addFunction(own, deployment, {
    entry: 'authority/protect-tables',
    description: 'Switches deletion protection of the tables on, last of all',
    timeout: Duration.minutes(3),
    retryAttempts: 0,
    grants: [
      allow(
        ['dynamodb:DescribeTable', 'dynamodb:UpdateTable'],
        all.map((table) => table.tableArn),
      ),
      allow(['cloudformation:DescribeStacks'], [Stack.of(scope).stackId]),
    ],
  });
  const resource = new CustomResource(own, 'Protected', {
    resourceType: 'Custom::ProtectedTables',
    serviceToken: protect.functionArn,
    serviceTimeout: Duration.minutes(5),
    properties: { Tables: all.map((table) => table.tableName) },
  });
  resource.node.addDependency(protect, tables, ...after);
  return { resource, writer: protect };
}
