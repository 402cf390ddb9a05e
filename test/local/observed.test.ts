/** What a user of the local cloud sees of a running stack: metrics, alarms, and streams that do not wait for each other. */
import { CloudFormationClient, CreateStackCommand, waitUntilStackCreateComplete } from '@aws-sdk/client-cloudformation';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { CreateEventSourceMappingCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { beforeAll, expect, it } from 'vitest';
import { describeWithEmulator } from '../emulator.ts';
import { createFunction } from './small-function.ts';

const counting = `
exports.handler = async ({ name, value, service, at }) => {
  const metric = { Name: name, Unit: 'Count' };
  const Dimensions = service ? [['service']] : [[]];
  const _aws = { Timestamp: at, CloudWatchMetrics: [{ Namespace: 'observed/test', Dimensions, Metrics: [metric] }] };
  console.log(JSON.stringify({ _aws, service, [name]: value }));
  console.log('{"_aws": broken'); console.log(JSON.stringify({ _aws: { CloudWatchMetrics: 'no' } }));
};`;

const slow = `
exports.handler = async ({ Records }) => {
  for (const { dynamodb } of Records) {
    await new Promise((resolve) => setTimeout(resolve, Number(dynamodb.NewImage.ms.N)));
    const Item = { id: dynamodb.NewImage.id, at: { N: String(Date.now()) } };
    await fetch(process.env.AWS_ENDPOINT_URL, { method: 'POST', body: JSON.stringify({ TableName: 'observed-seen', Item }), headers: {
      'x-amz-target': 'DynamoDB_20120810.PutItem', 'content-type': 'application/x-amz-json-1.0',
      authorization: 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00' } });
  }
};`;

describeWithEmulator('the emulator', (emulator) => {
  const lambda = emulator.client(LambdaClient);
  const cloudWatch = async (parameters: Record<string, string>): Promise<string> => {
    const response = await fetch(emulator.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${emulator.region}/monitoring/aws4_request, SignedHeaders=host, Signature=00`,
      },
      body: new URLSearchParams({ Version: '2010-08-01', ...parameters }),
    });
    expect(response.status).toBe(200);
    return response.text();
  };
  const sumOf = async (MetricName: string): Promise<number> => {
    const answer = await cloudWatch({
      Action: 'GetMetricStatistics',
      Namespace: 'observed/test',
      MetricName,
      StartTime: new Date(Date.now() - 3_600_000).toISOString(),
      EndTime: new Date(Date.now() + 60_000).toISOString(),
      Period: '7200',
      'Statistics.member.1': 'Sum',
    });
    return Number(/<Sum>([\d.]+)<\/Sum>/.exec(answer)?.[1] ?? 0);
  };
  const alarmOn = (name: string, MetricName: string, more: Record<string, string> = {}) =>
    cloudWatch({
      Action: 'PutMetricAlarm',
      AlarmName: name,
      Namespace: 'observed/test',
      MetricName,
      Statistic: 'Sum',
      Period: '60',
      EvaluationPeriods: '1',
      Threshold: '1',
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      TreatMissingData: 'notBreaching',
      ...more,
    });
  const stateOf = async (name: string): Promise<string | undefined> => {
    const answer = await cloudWatch({ Action: 'DescribeAlarms', 'AlarmNames.member.1': name });
    return /<StateValue>(\w+)<\/StateValue>/.exec(answer)?.[1];
  };
  const tell = (name: string, value: number, more: { service?: string; ageMs?: number } = {}) =>
    lambda.send(
      new InvokeCommand({
        FunctionName: 'observed-counting',
        Payload: JSON.stringify({ name, value, service: more.service, at: Date.now() - (more.ageMs ?? 0) }),
      }),
    );

  beforeAll(async () => {
    await createFunction(lambda, { FunctionName: 'observed-counting', code: counting });
    await createFunction(lambda, { FunctionName: 'observed-slow', code: slow, Timeout: 30 });
  });

  it('makes metrics of what functions count in their logs, and an alarm of what is too much', async () => {
    await alarmOn('observed-changes', 'changes');
    expect(await stateOf('observed-changes')).toBe('OK');
    await tell('changes', 0);
    expect(await stateOf('observed-changes')).toBe('OK');
    await tell('changes', 2);
    await tell('changes', 1);
    expect(await sumOf('changes')).toBe(3);
    expect(await stateOf('observed-changes')).toBe('ALARM');
  });

  it('judges an alarm by the series that it names, and by no older one', async () => {
    await alarmOn('observed-mine', 'mixed', {
      'Dimensions.member.1.Name': 'service',
      'Dimensions.member.1.Value': 'mine',
    });
    await tell('mixed', 5, { service: 'theirs' });
    await tell('mixed', 5);
    await tell('mixed', 5, { service: 'mine', ageMs: 120_000 });
    expect(await stateOf('observed-mine')).toBe('OK');
    await tell('mixed', 5, { service: 'mine' });
    expect(await stateOf('observed-mine')).toBe('ALARM');
  });

  it('counts periods: some of the last many', async () => {
    await alarmOn('observed-often', 'often', { EvaluationPeriods: '5', DatapointsToAlarm: '3' });
    await tell('often', 1, { ageMs: 130_000 });
    await tell('often', 1, { ageMs: 250_000 });
    expect(await stateOf('observed-often')).toBe('OK');
    await tell('often', 1);
    expect(await stateOf('observed-often')).toBe('ALARM');
  });

  it('keeps what a stack’s bucket locks', async () => {
    const cloudFormation = emulator.client(CloudFormationClient);
    const s3 = emulator.client(S3Client);
    const StackName = 'observed-lock';
    const Properties = {
      BucketName: 'observed-locked',
      ObjectLockEnabled: true,
      VersioningConfiguration: { Status: 'Enabled' },
      ObjectLockConfiguration: {
        ObjectLockEnabled: 'Enabled',
        Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 1 } },
      },
    };
    const TemplateBody = JSON.stringify({ Resources: { Locked: { Type: 'AWS::S3::Bucket', Properties } } });
    await cloudFormation.send(new CreateStackCommand({ StackName, TemplateBody }));
    await waitUntilStackCreateComplete({ client: cloudFormation, maxWaitTime: 20, minDelay: 1 }, { StackName });
    const object = { Bucket: 'observed-locked', Key: 'head' };
    const { VersionId } = await s3.send(new PutObjectCommand({ ...object, Body: 'signed' }));
    await expect(s3.send(new DeleteObjectCommand({ ...object, VersionId }))).rejects.toThrow(/object lock/);
    // A delete marker takes nothing away.
    await s3.send(new DeleteObjectCommand(object));
    const { Body } = await s3.send(new GetObjectCommand({ ...object, VersionId }));
    expect(await Body?.transformToString()).toBe('signed');
  });

  it('reads one stream while the function is still busy with another’s, and each in its order', async () => {
    const dynamodb = emulator.client(DynamoDBClient);
    const create = (TableName: string, stream: boolean) =>
      dynamodb.send(
        new CreateTableCommand({
          TableName,
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
          KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
          ...(stream ? { StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' } } : {}),
        }),
      );
    await create('observed-seen', false);
    for (const TableName of ['observed-one', 'observed-other']) {
      await create(TableName, true);
      const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName }));
      await lambda.send(
        new CreateEventSourceMappingCommand({
          FunctionName: 'observed-slow',
          EventSourceArn: Table?.LatestStreamArn,
          StartingPosition: 'TRIM_HORIZON',
          BatchSize: 1,
        }),
      );
    }
    const put = (TableName: string, id: string, ms: number) =>
      dynamodb.send(new PutItemCommand({ TableName, Item: { id: { S: id }, ms: { N: String(ms) } } }));
    const seen = async (id: string): Promise<number> => {
      for (const until = Date.now() + 20_000; Date.now() < until; await new Promise((r) => setTimeout(r, 50))) {
        const { Item } = await dynamodb.send(
          new GetItemCommand({ TableName: 'observed-seen', Key: { id: { S: id } } }),
        );
        if (Item?.at?.N !== undefined) return Number(Item.at.N);
      }
      throw new Error(`${id} was never seen`);
    };
    await put('observed-one', 'slow', 4_000);
    await put('observed-one', 'after-slow', 0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await put('observed-other', 'quick', 0);
    const [after, quick, held] = [await seen('after-slow'), await seen('quick'), await seen('slow')];
    expect(quick).toBeLessThan(held);
    expect(after).toBeGreaterThanOrEqual(held);
  });
});
