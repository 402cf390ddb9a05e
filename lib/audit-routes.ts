/** The audit's routes: all of them read, and none can write an entry or a head. */
import { ArnFormat, Stack, Validations } from 'aws-cdk-lib';
import type { CfnStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { auditByAction } from '../src/names.ts';
import type { Route } from '../src/routes.ts';
import type { RouteFunction } from './api.ts';
import type { Audit } from './audit.ts';
import { allow, wholeProcessor } from './function.ts';
import type { Stamps } from './stamps.ts';
import type { Tables } from './tables.ts';

export type AuditRoute = Extract<Route, `${string}/identity/audit${string}`>;

export function auditRoutes(
  audit: Audit,
  { tables, stamps }: { readonly tables: Tables; readonly stamps: Stamps },
): Record<AuditRoute, RouteFunction> {
  const { environment } = audit;
  const machine = audit.verification;
  const executions = Stack.of(audit).formatArn({
    service: 'states',
    resource: 'execution',
    resourceName: `${machine.stateMachineName}:*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  const machineId = Stack.of(audit).getLogicalId(machine.node.defaultChild as CfnStateMachine);
  const partition = 'arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>';
  Validations.of(audit.node.scope ?? audit).acknowledge({
    id: `AwsSolutions-IAM5[Resource::${partition}:execution:<${machineId}.Name>:*]`,
    reason: 'Executions are named when they are started; these are those of one state machine, and are only read.',
  });
  return {
    'GET /api/v1/identity/audit': {
      entry: 'audit/list-audit',
      does: 'lists entries of the audit, the newest first',
      grants: [
        audit.readChain('Query', 'BatchGetItem'),
        allow(['dynamodb:Query'], [`${tables.all.audit.tableArn}/index/${auditByAction}`]),
      ],
    },
    'GET /api/v1/identity/audit/verify': {
      entry: 'audit/verify-audit',
      does: 'verifies the audit chain',
      memory: wholeProcessor,
      // Rows bear a seal, which tells who appended them.
      stamps,
      environment: { ...environment, VERIFY_STATE_MACHINE: machine.stateMachineArn },
      grants: [
        audit.readChain('Query', 'BatchGetItem'),
        ...audit.readHeads(),
        allow(['states:StartExecution'], [machine.stateMachineArn]),
        allow(['states:DescribeExecution', 'states:GetExecutionHistory'], [executions]),
      ],
    },
    'GET /api/v1/identity/audit/export': {
      entry: 'audit/export-audit',
      does: 'hands out the chain with proofs',
      environment,
      grants: [audit.readChain('Query', 'BatchGetItem'), ...audit.readHeads()],
    },
    'GET /api/v1/identity/audit/{sequence}/proof': {
      entry: 'audit/prove-entry',
      does: 'proves that an entry stands in the chain',
      environment,
      grants: [audit.readChain('BatchGetItem'), ...audit.readHeads()],
    },
  };
}
