/** The routes of renewals and of agents, and exactly what each may touch. */
import { ArnFormat, Stack, Validations } from 'aws-cdk-lib';
import type { CfnStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { certificateIndexes, controlKeys, type Deployment, endpointKeys, jobIndexes } from '../src/names.ts';
import type { RouteFunction } from './api.ts';
import { allow, onlyRows } from './function.ts';
import { type Renewal, telling } from './renewal.ts';
import type { Stamps } from './stamps.ts';
import type { Tables } from './tables.ts';

export const renewalRouteNames = [
  'POST /api/v1/identity/renewals/run',
  'GET /api/v1/identity/renewals',
  'GET /api/v1/identity/renewals/{job_id}',
  'POST /api/v1/identity/renewals/{job_id}/rollback',
  'POST /api/v1/identity/agents/heartbeat',
  'POST /api/v1/identity/agents/tasks/{task_id}',
] as const;
export type RenewalRoute = (typeof renewalRouteNames)[number];

interface Needs {
  readonly deployment: Deployment;
  readonly tables: Tables;
  readonly stamps: Stamps;
  /** The API's own name. */
  readonly domain: string;
}

export function renewalRoutes(
  renewal: Renewal,
  { deployment, tables, stamps, domain }: Needs,
): Record<RenewalRoute, RouteFunction> {
  const { principals, certificates, controls, endpoints, jobs } = tables.all;
  const stack = Stack.of(renewal);
  const { machine } = renewal;
  const on = (table: { readonly tableArn: string }, ...actions: string[]) =>
    allow(
      actions.map((action) => `dynamodb:${action}`),
      [table.tableArn],
    );
  const onControls = (rows: string[], ...actions: string[]) =>
    allow(
      actions.map((action) => `dynamodb:${action}`),
      [controls.tableArn],
      onlyRows(...rows),
    );
  const byIndex = (...names: string[]) =>
    allow(
      ['dynamodb:Query'],
      names.map((name) => `${jobs.tableArn}/index/${name}`),
    );
  const callerStands = [
    on(principals, 'ConditionCheckItem'),
    on(certificates, 'ConditionCheckItem'),
    onControls([controlKeys.generations], 'ConditionCheckItem'),
  ];
  const executions = stack.formatArn({
    service: 'states',
    resource: 'execution',
    resourceName: `${machine.stateMachineName}:*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  const machineId = stack.getLogicalId(machine.node.defaultChild as CfnStateMachine);
  Validations.of(renewal.node.scope ?? renewal).acknowledge({
    id: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:<${machineId}.Name>:*]`,
    reason: 'Executions are named after their renewals; these are those of one state machine, and are only read.',
  });
  const starting = [
    allow(['states:StartExecution'], [machine.stateMachineArn]),
    allow(['states:DescribeExecution'], [executions]),
  ];
  const environment = { RENEW_STATE_MACHINE: machine.stateMachineArn };
  const { byStatus, byEndpoint, byTaskOwner } = jobIndexes;
  return {
    'POST /api/v1/identity/renewals/run': {
      entry: 'renewal/run-renewals',
      does: 'begins renewals',
      stamps,
      environment: { ...environment, DOMAIN_NAME: domain },
      grants: [
        ...callerStands,
        ...starting,
        on(endpoints, 'BatchGetItem', 'UpdateItem'),
        allow(['dynamodb:GetItem'], [endpoints.tableArn], onlyRows(endpointKeys.policies, endpointKeys.fleets)),
        on(jobs, 'GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem'),
      ],
    },
    'GET /api/v1/identity/renewals': {
      entry: 'renewal/list-renewals',
      does: 'lists renewals',
      grants: [on(jobs, 'BatchGetItem'), byIndex(byStatus, byEndpoint)],
    },
    'GET /api/v1/identity/renewals/{job_id}': {
      entry: 'renewal/get-renewal',
      does: 'shows a renewal',
      grants: [on(jobs, 'GetItem')],
    },
    'POST /api/v1/identity/renewals/{job_id}/rollback': {
      entry: 'renewal/rollback-renewal',
      does: 'rolls a renewal back',
      stamps,
      environment,
      grants: [
        ...callerStands,
        ...starting,
        telling(stack, deployment, 'Failure'),
        on(endpoints, 'GetItem', 'UpdateItem'),
        on(jobs, 'GetItem', 'BatchGetItem', 'UpdateItem'),
        byIndex(byEndpoint),
      ],
    },
    'POST /api/v1/identity/agents/heartbeat': {
      entry: 'agent/take-heartbeat',
      does: 'hears an agent and hands its tasks out',
      stamps,
      grants: [
        ...callerStands,
        telling(stack, deployment, 'Heartbeat'),
        on(principals, 'GetItem'),
        on(endpoints, 'BatchGetItem', 'UpdateItem'),
        allow(['dynamodb:PutItem'], [endpoints.tableArn], onlyRows(endpointKeys.agents)),
        on(jobs, 'BatchGetItem', 'UpdateItem'),
        byIndex(byTaskOwner),
      ],
    },
    'POST /api/v1/identity/agents/tasks/{task_id}': {
      entry: 'agent/take-answer',
      does: 'takes an agent’s answer to a task',
      stamps,
      grants: [
        ...callerStands,
        telling(stack, deployment, 'Success', 'Failure'),
        on(principals, 'GetItem'),
        on(endpoints, 'GetItem', 'UpdateItem'),
        on(jobs, 'GetItem', 'UpdateItem'),
        onControls([controlKeys.keys], 'GetItem', 'PutItem', 'ConditionCheckItem'),
        allow(['dynamodb:Query'], [`${certificates.tableArn}/index/${certificateIndexes.byPublicKey}`]),
      ],
    },
  };
}
