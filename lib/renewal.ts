/** Renewal: the state machine that takes each renewal from step to step, and a function for each of its steps. */
import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { controlKeys, type Deployment, functionName, stateMachineName } from '../src/names.ts';
import { addFunction, allow, onlyRows } from './function.ts';
import type { Stamps } from './stamps.ts';
import { addStateMachine } from './state-machine.ts';
import type { Tables } from './tables.ts';

interface RenewalProps {
  readonly deployment: Deployment;
  readonly tables: Tables;
  readonly stamps: Stamps;
  /** Hosts, addresses and networks that functions may dial though they are private, commas between. */
  readonly reachable: string;
}

/** What tells an execution that what it waits for is done, failed, or still being worked at. */
export const telling = (stack: Stack, deployment: Deployment, ...what: ('Success' | 'Failure' | 'Heartbeat')[]) =>
  allow(
    what.map((word) => `states:SendTask${word}`),
    // By its name: the machine needs its functions, which cannot need the machine as well.
    [
      stack.formatArn({
        service: 'states',
        resource: 'stateMachine',
        resourceName: stateMachineName(deployment, 'renew-certificate'),
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
    ],
  );

export class Renewal extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string, { deployment, tables, stamps, reachable }: RenewalProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const { principals, controls, endpoints, jobs } = tables.all;
    const on = (table: { readonly tableArn: string }, ...actions: string[]): PolicyStatement =>
      allow(
        actions.map((action) => `dynamodb:${action}`),
        [table.tableArn],
      );
    const onControls = (rows: string[], ...actions: string[]): PolicyStatement =>
      allow(
        actions.map((action) => `dynamodb:${action}`),
        [controls.tableArn],
        onlyRows(...rows),
      );
    const ownRow = on(jobs, 'GetItem', 'UpdateItem');
    const freeEndpoint = on(endpoints, 'GetItem', 'UpdateItem');
    const tell = telling(stack, deployment, 'Success');
    const step = (
      entry: string,
      description: string,
      grants: readonly PolicyStatement[],
      more: { readonly timeout?: Duration; readonly environment?: Readonly<Record<string, string>> } = {},
    ): IFunction =>
      addFunction(this, deployment, {
        entry: `renewal/${entry}`,
        description,
        timeout: Duration.seconds(30),
        stamps,
        grants: [ownRow, ...grants],
        ...more,
      });

    this.machine = addStateMachine(this, deployment, {
      name: 'renew-certificate',
      does: 'Renews the certificate of one endpoint, from its request to its validation, or puts the previous one back',
      runs: {
        RequestCsr: step('request-csr', 'Asks the endpoint’s agent for a request', [on(endpoints, 'GetItem'), tell]),
        StartChallenge: step('start-challenge', 'Proves whose the names are', []),
        IssueCertificate: step('issue-certificate', 'Has one certificate signed for a renewal', [
          on(principals, 'ConditionCheckItem'),
          onControls([controlKeys.generations], 'GetItem'),
          onControls([controlKeys.generations, controlKeys.keys], 'ConditionCheckItem'),
          allow(
            ['lambda:InvokeFunction'],
            [
              stack.formatArn({
                service: 'lambda',
                resource: 'function',
                resourceName: functionName(deployment, 'sign-certificate'),
                arnFormat: ArnFormat.COLON_RESOURCE_NAME,
              }),
            ],
          ),
        ]),
        DeployCertificate: step('deploy-certificate', 'Has the agent deploy the certificate', [
          on(endpoints, 'BatchGetItem'),
          tell,
        ]),
        ValidateEndpoint: step(
          'validate-endpoint',
          'Dials the endpoint, which must serve the certificate everywhere',
          [on(endpoints, 'GetItem'), tell],
          { timeout: Duration.seconds(90), environment: { REACHABLE: reachable } },
        ),
        FinishRenewal: step('finish-renewal', 'Makes the certificate the endpoint’s own', [freeEndpoint]),
        FailRenewal: step('fail-renewal', 'Writes down what failed and decides what is next', [freeEndpoint]),
        RestorePrevious: step('restore-previous', 'Has the agent put the previous certificate back', [
          freeEndpoint,
          tell,
        ]),
      },
    });
  }
}
