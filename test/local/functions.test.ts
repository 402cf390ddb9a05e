import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APIGatewayClient, UpdateDomainNameCommand } from '@aws-sdk/client-api-gateway';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DeleteObjectsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
    const asked = readCalls(record)
      .filter((call) => call.function === 'another')
      .flatMap(({ checks }) => checks.map(({ action, resource }) => `${action} ${resource}`));
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
});
