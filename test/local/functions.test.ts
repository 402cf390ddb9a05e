import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APIGatewayClient, UpdateDomainNameCommand } from '@aws-sdk/client-api-gateway';
import { CreateTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { CreateKeyCommand, GenerateMacCommand, KMSClient } from '@aws-sdk/client-kms';
import {
  CreateEventSourceMappingCommand,
  InvokeCommand,
  LambdaClient,
  PutFunctionEventInvokeConfigCommand,
} from '@aws-sdk/client-lambda';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { dummyCredentials } from '../../local/aws.ts';
import { readCalls } from '../../local/calls.ts';
import { type Emulator, startEmulator } from '../../local/emulator.ts';
import { emulatorTools, installedPython } from '../../local/tools.ts';
import { createFunction } from './small-function.ts';

const python = installedPython(emulatorTools);

const code = `
const aws4 = {}; let calls = 0;
class Conflict extends Error { name = 'Conflict' }
exports.handler = async (event, context) => {
  calls += 1;
  if (event.fail) throw new Conflict('not like this');
  console.log('line one'); console.error('line two');
  if (!event.table) return { calls, node: process.versions.node, left: context.getRemainingTimeInMillis(), inherited: process.env.EVERLEAF_SECRET };
  const body = JSON.stringify({ TableName: event.table, Key: { id: { S: 'k1' } }, ProjectionExpression: '#s, n', ExpressionAttributeNames: { '#s': 'status' } });
  const answer = await fetch(process.env.AWS_ENDPOINT_URL, { method: 'POST', body, headers: {
    'x-amz-target': 'DynamoDB_20120810.GetItem', 'content-type': 'application/x-amz-json-1.0',
    'x-amz-security-token': process.env.AWS_SESSION_TOKEN,
    authorization: 'AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00' } });
  return { status: answer.status };
};`;

describe.skipIf(!python)('a function on the emulator', () => {
  const folder = mkdtempSync(join(tmpdir(), 'everleaf-functions-'));
  const record = join(folder, 'calls.jsonl');
  let emulator: Emulator;
  let lambda: LambdaClient;

  const invoke = async (payload: unknown) => {
    const answer = await lambda.send(
      new InvokeCommand({ FunctionName: 'tried', Payload: Buffer.from(JSON.stringify(payload)), LogType: 'Tail' }),
    );
    return {
      ...answer,
      body: JSON.parse(Buffer.from(answer.Payload ?? []).toString()),
      log: Buffer.from(answer.LogResult ?? '', 'base64').toString(),
    };
  };

  /** What a function was seen to ask, and what IAM could hold it to; sorted. */
  const askedBy = (name: string): string[] =>
    readCalls(record)
      .filter((call) => call.function === name)
      .flatMap(({ checks }) =>
        checks.map(({ action, resource, context }) => {
          const held = Object.keys(context).length === 0 ? '' : ` ${JSON.stringify(context)}`;
          return `${action} ${resource}${held}`;
        }),
      )
      .sort();

  beforeAll(async () => {
    process.env.EVERLEAF_SECRET = 'of the parent';
    emulator = await startEmulator({ stateDir: folder, recordTo: record, region: 'eu-west-1' });
    const config = {
      endpoint: emulator.endpoint,
      region: emulator.region,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    };
    lambda = new LambdaClient(config);
    await createFunction(lambda, { FunctionName: 'tried', code });
    await new DynamoDBClient(config).send(
      new CreateTableCommand({
        TableName: 'things',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      }),
    );
  });
  afterAll(async () => {
    await emulator.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('runs on Node 24, inherits nothing of the process that started the emulator, knows its deadline', async () => {
    const { body } = await invoke({});
    expect(body.inherited).toBeUndefined();
    expect(body.left).toBeGreaterThan(0);
    expect(body.left).toBeLessThanOrEqual(5000);
    if (process.platform === 'linux' && process.arch === 'x64') expect(body.node).toMatch(/^24\./);
  });

  it('hands on the name and message of what it throws, and stays warm', async () => {
    const before = (await invoke({})).body.calls;
    const failed = await invoke({ fail: true });
    expect(failed.FunctionError).toBe('Unhandled');
    expect(failed.body).toMatchObject({ errorType: 'Conflict', errorMessage: 'not like this' });
    expect((await invoke({})).body.calls).toBe(before + 2);
    const unpacked = readFileSync(join(folder, 'functions'), 'utf8');
    expect(readdirSync(unpacked)).toContainEqual(expect.stringContaining('tried'));
  });

  it('has every log line in its log and answers a warm call without waiting for more', async () => {
    expect((await invoke({})).log).toMatch(/line one\n.*line two/s);
    const times: number[] = [];
    for (let call = 0; call < 15; call += 1) {
      const began = performance.now();
      await invoke({});
      times.push(performance.now() - began);
    }
    expect(times.sort((a, b) => a - b)[7] ?? 0).toBeLessThan(40);
  });

  it('is recorded by name with what IAM looks at, and nobody else is', async () => {
    expect((await invoke({ table: 'things' })).body).toEqual({ status: 200 });
    expect(readCalls(record)).toEqual([
      {
        time: expect.any(Number),
        function: 'tried',
        service: 'dynamodb',
        checks: [
          {
            action: 'dynamodb:GetItem',
            resource: 'arn:aws:dynamodb:eu-west-1:000000000000:table/things',
            context: {
              'dynamodb:LeadingKeys': ['k1'],
              'dynamodb:Attributes': ['id', 'n', 'status'],
              'dynamodb:Select': ['SPECIFIC_ATTRIBUTES'],
            },
          },
        ],
      },
    ]);
  });

  it('is recorded with the actions that AWS would ask for, where the address alone does not tell them', async () => {
    const config = {
      endpoint: emulator.endpoint,
      region: emulator.region,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test', sessionToken: 'fn:another' },
      forcePathStyle: true,
    };
    const Objects = [{ Key: 'a', VersionId: 'v1' }, { Key: 'b' }];
    const path = '/mutualTlsAuthentication/truststoreVersion';
    // Neither the bucket nor the domain is there: what is asked is recorded all the same.
    await Promise.allSettled([
      new S3Client(config).send(new DeleteObjectsCommand({ Bucket: 'bucket', Delete: { Objects } })),
      new APIGatewayClient(config).send(
        new UpdateDomainNameCommand({
          domainName: 'id.example.com',
          patchOperations: [{ op: 'replace', path, value: '1' }],
        }),
      ),
    ]);
    const asked = askedBy('another');
    const domains = 'arn:aws:apigateway:eu-west-1::/domainnames';
    expect(asked.sort()).toEqual([
      `apigateway:AddCertificateToDomain ${domains}`,
      `apigateway:AddCertificateToDomain ${domains}/id.example.com`,
      `apigateway:PATCH ${domains}/id.example.com`,
      `apigateway:RemoveCertificateFromDomain ${domains}`,
      `apigateway:RemoveCertificateFromDomain ${domains}/id.example.com`,
      's3:DeleteObject arn:aws:s3:::bucket/b',
      's3:DeleteObjectVersion arn:aws:s3:::bucket/a',
    ]);
  });

  it('is recorded with what keys, versions, prefixes and executions IAM holds a grant to', async () => {
    const config = {
      endpoint: emulator.endpoint,
      region: emulator.region,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test', sessionToken: 'fn:auditing' },
      forcePathStyle: true,
    };
    const kms = new KMSClient(config);
    const { KeyMetadata } = await kms.send(
      new CreateKeyCommand({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
    );
    const s3 = new S3Client(config);
    const states = new SFNClient(config);
    const machine = 'arn:aws:states:eu-west-1:000000000000:stateMachine:turns';
    const execution = 'arn:aws:states:eu-west-1:000000000000:execution:turns:one';
    await Promise.allSettled([
      kms.send(
        new GenerateMacCommand({
          KeyId: KeyMetadata?.KeyId,
          MacAlgorithm: 'HMAC_SHA_256',
          Message: Buffer.from('secret'),
        }),
      ),
      s3.send(new ListObjectVersionsCommand({ Bucket: 'heads', Prefix: 'heads/', MaxKeys: 5 })),
      s3.send(new GetObjectCommand({ Bucket: 'heads', Key: 'heads/1.json', VersionId: 'v1' })),
      s3.send(new PutObjectCommand({ Bucket: 'heads', Key: 'heads/1.json', Body: '{}', IfNoneMatch: '*' })),
      states.send(new StartExecutionCommand({ stateMachineArn: machine, name: 'one', input: '{}' })),
      states.send(new DescribeExecutionCommand({ executionArn: execution })),
    ]);
    expect(askedBy('auditing')).toEqual(
      [
        'kms:CreateKey',
        `kms:GenerateMac ${KeyMetadata?.Arn} {"kms:MacAlgorithm":["HMAC_SHA_256"]}`,
        's3:GetObjectVersion arn:aws:s3:::heads/heads/1.json',
        's3:ListBucketVersions arn:aws:s3:::heads {"s3:prefix":["heads/"],"s3:max-keys":["5"]}',
        's3:PutObject arn:aws:s3:::heads/heads/1.json',
        `states:DescribeExecution ${execution}`,
        `states:StartExecution ${machine}`,
      ].map((line) => expect.stringContaining(line)),
    );
    expect(readFileSync(record, 'utf8')).not.toContain(Buffer.from('secret').toString('base64'));
  });

  it('is recorded with what Lambda asks for in its name: to read a stream, to send away what it could not take', async () => {
    const config = { endpoint: emulator.endpoint, region: emulator.region, credentials: dummyCredentials };
    const dynamodb = new DynamoDBClient(config);
    const { TableDescription } = await dynamodb.send(
      new CreateTableCommand({
        TableName: 'streamed',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
      }),
    );
    const EventSourceArn = TableDescription?.LatestStreamArn;
    await lambda.send(
      new CreateEventSourceMappingCommand({ FunctionName: 'tried', EventSourceArn, StartingPosition: 'TRIM_HORIZON' }),
    );
    await dynamodb.send(new PutItemCommand({ TableName: 'streamed', Item: { id: { S: 'a' } } }));
    const queue = 'arn:aws:sqs:eu-west-1:000000000000:letters';
    await lambda.send(
      new PutFunctionEventInvokeConfigCommand({
        FunctionName: 'tried',
        MaximumRetryAttempts: 0,
        DestinationConfig: { OnFailure: { Destination: queue } },
      }),
    );
    await lambda.send(new InvokeCommand({ FunctionName: 'tried', InvocationType: 'Event', Payload: '{"fail":true}' }));
    const expected = ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'].map(
      (action) => `dynamodb:${action} ${EventSourceArn}`,
    );
    await vi.waitFor(
      () => expect(askedBy('tried')).toEqual(expect.arrayContaining([...expected, `sqs:SendMessage ${queue}`])),
      {
        timeout: 15_000,
        interval: 200,
      },
    );
  });
});
