/** Which of CloudTrail's events are the audit's to judge: calls that change something of this deployment. What they say is judged in src/audit/outside.ts. */
import { Stack } from 'aws-cdk-lib';
import type { EventPattern } from 'aws-cdk-lib/aws-events';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { IConstruct } from 'constructs';
import { type Deployment, stackName } from '../src/names.ts';

interface Watched {
  readonly deployment: Deployment;
  readonly domain: string;
  readonly buckets: readonly Bucket[];
  readonly keys: readonly Key[];
}

/** CloudFormation shortens a long stack's name in the names that it makes: this much of it stays. */
const keptOfStack = 24;

const parts = { request: 'requestParameters', response: 'responseElements', resources: 'resources' } as const;
type Path = `${keyof typeof parts}.${string}`;

/** One of these paths (`request.name`) holds one of these values. Fewer than two alternatives are none to EventBridge. */
const oneOf = (alternatives: Readonly<Partial<Record<Path, readonly unknown[]>>>): object => {
  const each = Object.entries(alternatives).map(([path, values]) => {
    const [part, field = ''] = path.split('.');
    return { [parts[part as keyof typeof parts]]: { [field]: values } };
  });
  return each.length === 1 ? { ...each[0] } : { $or: each };
};

/** By service: an event pattern each, since one pattern may have 2,048 characters. */
export function outsideEvents(scope: IConstruct, watched: Watched): Readonly<Record<string, EventPattern>> {
  const { name, environment } = watched.deployment;
  const stack = Stack.of(scope);
  const arn = (service: string, beginning: string): string =>
    `arn:${stack.partition}:${service}:${stack.region}:${stack.account}:${beginning}`;
  const start = (...texts: string[]): unknown[] => texts.map((prefix) => ({ prefix }));
  const named = `${stackName(watched.deployment)}-`.slice(0, keptOfStack);
  const table = `${name}_${environment}_`;
  const secret = `${name}/${environment}/`;
  const parameter = `/${name}/${environment}/`;
  const fn = [...start(named), { wildcard: `*function:${named}*` }];
  const stream = start(arn('dynamodb', `table/${table}`));
  const tableNames = start(table, arn('dynamodb', `table/${table}`));
  const keys = watched.keys.flatMap(({ keyArn, keyId }) => [keyArn, keyId]);
  const parameters = start(parameter, arn('ssm', `parameter${parameter}`));
  const secrets = start(secret, arn('secretsmanager', `secret:${secret}`));

  const calls = (service: string, alternatives: Parameters<typeof oneOf>[0], more: object = {}): EventPattern => ({
    source: [`aws.${service}`],
    detailType: ['AWS API Call via CloudTrail'],
    // Some services leave it out.
    detail: { readOnly: [false, { exists: false }], ...oneOf(alternatives), ...more },
  });
  /** What is done with rows and functions, and not to them, is told as data events where an account records those; these always say so. */
  const management = { managementEvent: [true, { exists: false }] };

  return {
    Buckets: calls('s3', { 'request.bucketName': watched.buckets.map(({ bucketName }) => bucketName) }),
    Parameters: calls('ssm', {
      'request.name': parameters,
      'request.names': parameters,
      'request.resourceId': parameters,
      'request.resourceArn': parameters,
    }),
    Secrets: calls('secretsmanager', {
      'request.secretId': secrets,
      'request.name': secrets,
      'response.arn': secrets,
      'response.aRN': secrets,
      'response.ARN': secrets,
    }),
    Keys: calls(
      'kms',
      { 'request.keyId': keys, 'request.targetKeyId': keys, 'resources.ARN': keys },
      // What is done with a key, and not to it. An entry on a signature would want a head, and so another signature.
      { eventName: [{ 'anything-but': ['Sign', 'Verify', 'GenerateMac', 'VerifyMac'] }] },
    ),
    Functions: calls(
      'lambda',
      {
        'request.functionName': fn,
        'request.functionArn': fn,
        'request.resource': fn,
        'request.resourceArn': fn,
        'request.eventSourceArn': stream,
        'request.role': start(`arn:${stack.partition}:iam::${stack.account}:role/${named}`),
        'response.functionArn': fn,
        'response.eventSourceArn': stream,
      },
      management,
    ),
    Tables: calls(
      'dynamodb',
      {
        'request.tableName': tableNames,
        'request.targetTableName': tableNames,
        'request.sourceTableName': tableNames,
        'request.sourceTableArn': tableNames,
        'request.tableArn': tableNames,
        'request.resourceArn': tableNames,
        'request.backupArn': tableNames,
      },
      management,
    ),
    // Of IAM's events those of the region us-east-1 alone hear.
    Roles: calls('iam', { 'request.roleName': start(named) }),
    Rules: calls('events', {
      'request.name': start(named),
      'request.rule': start(named),
      'request.resourceARN': start(arn('events', `rule/${named}`)),
    }),
    Schedules: calls('scheduler', {
      'request.name': start(named),
      'response.scheduleArn': start(arn('scheduler', `schedule/default/${named}`)),
    }),
    Workflows: calls(
      'states',
      { 'request.stateMachineArn': start(arn('states', `stateMachine:${named}`)), 'request.name': start(named) },
      // What is done with a state machine, and not to it.
      { eventName: [{ 'anything-but': { wildcard: ['*Execution*', 'SendTask*'] } }] },
    ),
    Alarms: calls('monitoring', { 'request.alarmName': start(named), 'request.alarmNames': start(named) }),
    Topics: calls('sns', {
      'request.topicArn': start(arn('sns', named)),
      'request.subscriptionArn': start(arn('sns', named)),
      'request.resourceArn': start(arn('sns', named)),
    }),
    Queues: calls('sqs', { 'request.queueUrl': [{ wildcard: `*/${named}*` }] }),
    Logs: calls('logs', {
      'request.logGroupName': start(named),
      'request.logGroupIdentifier': start(named, arn('logs', `log-group:${named}`)),
      'request.resourceArn': start(arn('logs', `log-group:${named}`)),
    }),
    Domain: calls('apigateway', { 'request.domainName': [watched.domain] }),
    Trail: {
      source: ['aws.cloudtrail'],
      detailType: ['AWS API Call via CloudTrail'],
      detail: { eventName: ['StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors'] },
    },
  };
}
