/** A function the way all of them are: its own bundle, its own role with what it is granted, its own log group. */
import { type Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, type IDestination, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Deployment } from '../src/names.ts';
import { type BundleFormat, withBundle } from './bundle.ts';
import type { Stamps } from './stamps.ts';

export interface FunctionSpec {
  /** The entry file under lambdas/, without its extension; its last part, verb-object, names the function. */
  readonly entry: string;
  readonly description: string;
  readonly grants: readonly PolicyStatement[];
  readonly timeout: Duration;
  /** MB; the processor grows with it. 512 where nothing is said. */
  readonly memory?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** For those that write audited rows, or judge whether the product wrote one. */
  readonly stamps?: Stamps;
  /** Only for those that others invoke by name. */
  readonly functionName?: string;
  readonly reservedConcurrentExecutions?: number;
  /** Custom resources: Lambda would repeat what failed minutes later, when CloudFormation has long gone on. */
  readonly retryAttempts?: 0;
  /** Where an event goes that the function could not take, of those that nobody waits for an answer to. */
  readonly onFailure?: IDestination;
  /** 'esm' where nothing is said. */
  readonly format?: BundleFormat;
}

/** MB with which a function has one whole processor: for those that hash and compare for minutes. */
export const wholeProcessor = 1_769;

export function addFunction(scope: Construct, deployment: Deployment, spec: FunctionSpec): LambdaFunction {
  const verbObject = spec.entry.slice(spec.entry.lastIndexOf('/') + 1);
  const id = verbObject.replace(/(^|-)([a-z])/g, (_, _hyphen: string, letter: string) => letter.toUpperCase());

  const logGroup = new LogGroup(scope, `${id}Log`, {
    retention: RetentionDays.THREE_MONTHS,
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  });
  const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  role.addToPolicy(allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroup.logGroupArn]));
  for (const grant of spec.grants) role.addToPolicy(grant);

  const properties = {
    handler: 'index.handler',
    description: spec.description,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.X86_64,
    memorySize: spec.memory ?? 512,
    timeout: spec.timeout,
    role,
    logGroup,
    environment: {
      EVERLEAF_NAME: deployment.name,
      EVERLEAF_ENVIRONMENT: deployment.environment,
      POWERTOOLS_SERVICE_NAME: verbObject,
      ...spec.stamps?.open(role),
      ...spec.environment,
    },
    ...(spec.functionName === undefined ? {} : { functionName: spec.functionName }),
    ...(spec.reservedConcurrentExecutions === undefined
      ? {}
      : { reservedConcurrentExecutions: spec.reservedConcurrentExecutions }),
    ...(spec.retryAttempts === undefined ? {} : { retryAttempts: spec.retryAttempts }),
    ...(spec.onFailure === undefined ? {} : { onFailure: spec.onFailure }),
  };
  return withBundle(
    { entry: spec.entry, format: spec.format ?? 'esm', required: Stack.of(scope).bundlingRequired },
    (code) => new LambdaFunction(scope, id, { ...properties, code }),
  );
}

type Conditions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A grant written out: these actions on these resources, under these conditions, and nothing else. */
export const allow = (actions: string[], resources: string[], conditions?: Conditions): PolicyStatement =>
  new PolicyStatement({
    effect: Effect.ALLOW,
    actions,
    resources,
    ...(conditions === undefined ? {} : { conditions }),
  });

/** Holds a grant on a table to the rows whose partition key is like one of these. */
export const onlyRows = (...keys: string[]): Conditions => ({
  'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': keys },
});
