/** Deploying again, and deploying in vain: the truststore that was rotated since stays, and a failed first deployment leaves nothing. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APIGatewayClient, GetDomainNameCommand } from '@aws-sdk/client-api-gateway';
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation';
import { DescribeTableCommand, DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { HeadBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { dummyCredentials, localEnvironment } from '../../local/aws.ts';
import { runCdk } from '../../local/cdk.ts';
import { type Emulator, startEmulator } from '../../local/emulator.ts';
import { readBundle } from '../../src/authority/root.ts';
import { openParameters } from '../../src/aws/parameters.ts';
import { openTruststore } from '../../src/aws/truststore.ts';
import { functionName, stackName, tableName, tables } from '../../src/names.ts';
import { makeRoot, sha256Of } from '../authority/truststore-deployment.ts';
import { cloud, describeWithCloud } from './cloud.ts';
import { recordFolders, recordRoles } from './record-roles.ts';

const resource = z.looseObject({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).optional() });
const template = z.looseObject({ Resources: z.record(z.string(), resource) });
type Template = z.infer<typeof template>;

const first = { name: 'airunner', environment: 'prod' };
const second = { name: 'airsecond', environment: 'prod' };
const domainOf = { airunner: 'airunner.example.com', airsecond: 'airsecond.example.com' } as const;

let folder: string;
let emulator: Emulator;
let deployed: Template;
let clients: ReturnType<typeof connect>;

const connect = (endpoint: string, region: string) => {
  const config = { endpoint, region, credentials: dummyCredentials, forcePathStyle: true };
  return {
    apiGateway: new APIGatewayClient(config),
    cloudFormation: new CloudFormationClient(config),
    dynamo: new DynamoDBClient(config),
    lambda: new LambdaClient(config),
    s3: new S3Client(config),
    ssm: new SSMClient(config),
  };
};

const find = (from: Template, type: string): string => {
  const id = Object.keys(from.Resources).find((logical) => from.Resources[logical]?.Type === type);
  if (id === undefined) throw new Error(`no ${type}`);
  return id;
};

/** The same template with one more resource that fails, after `type` is made. */
const failingAfter = (from: Template, type: string): Template => ({
  ...from,
  Resources: {
    ...from.Resources,
    Failing: {
      Type: 'Custom::Failing',
      Properties: { ServiceToken: `arn:aws:lambda:${emulator.region}:000000000000:function:there-is-none` },
      DependsOn: [find(from, type)],
    },
  },
});

const settled = async (name: string): Promise<string> => {
  for (;;) {
    const { Stacks } = await clients.cloudFormation.send(new DescribeStacksCommand({ StackName: name }));
    const status = Stacks?.[0]?.StackStatus ?? '';
    if (!status.endsWith('_IN_PROGRESS')) return status;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
};

const capabilities = { Capabilities: ['CAPABILITY_IAM' as const, 'CAPABILITY_NAMED_IAM' as const] };

/** Templates of this size are handed over in S3; the bootstrap's bucket is as good as any. */
const upload = async (text: string): Promise<string> => {
  const Bucket = `cdk-hnb659fds-assets-000000000000-${emulator.region}`;
  const Key = `${randomUUID()}.json`;
  await clients.s3.send(new PutObjectCommand({ Bucket, Key, Body: text }));
  return `${emulator.endpoint}/${Bucket}/${Key}`;
};

const update = async (changed: Template): Promise<string> => {
  const StackName = stackName(first);
  const TemplateURL = await upload(JSON.stringify(changed));
  await clients.cloudFormation.send(new UpdateStackCommand({ StackName, TemplateURL, ...capabilities }));
  return settled(StackName);
};

const create = async (made: Template): Promise<string> => {
  const StackName = stackName(second);
  const TemplateURL = await upload(JSON.stringify(made).replaceAll(first.name, second.name));
  await clients.cloudFormation.send(new CreateStackCommand({ StackName, TemplateURL, ...capabilities }));
  return settled(StackName);
};

const bucketOf = async (deployment: typeof first): Promise<string> => {
  const { StackResources = [] } = await clients.cloudFormation.send(
    new DescribeStackResourcesCommand({ StackName: stackName(deployment) }),
  );
  return (
    StackResources.find(
      ({ ResourceType, LogicalResourceId }) =>
        ResourceType === 'AWS::S3::Bucket' && LogicalResourceId?.includes('Truststore'),
    )?.PhysicalResourceId ?? ''
  );
};

/** What a deployment trusts: the object, the version that its domain goes by, and `ca-cert`. */
const trust = async (deployment: typeof first) => {
  const object = await openTruststore(await bucketOf(deployment), clients.s3).read();
  const { mutualTlsAuthentication } = await clients.apiGateway.send(
    new GetDomainNameCommand({ domainName: deployment === first ? domainOf.airunner : domainOf.airsecond }),
  );
  const bundle = await openParameters(deployment, clients.ssm).read('ca-cert');
  return { object, version: mutualTlsAuthentication?.truststoreVersion, bundle };
};

const protection = async (deployment: typeof first): Promise<unknown[]> =>
  Promise.all(
    tables.map(async (table) => {
      const { Table } = await clients.dynamo.send(
        new DescribeTableCommand({ TableName: tableName(deployment, table) }),
      );
      return Table?.DeletionProtectionEnabled;
    }),
  );

const updateTruststore = async (change: unknown): Promise<unknown> => {
  const { Payload, FunctionError } = await clients.lambda.send(
    new InvokeCommand({
      FunctionName: functionName(first, 'update-truststore'),
      Payload: Buffer.from(JSON.stringify(change)),
    }),
  );
  const answer = Buffer.from(Payload ?? []).toString();
  if (FunctionError !== undefined) throw new Error(answer);
  return JSON.parse(answer);
};

describeWithCloud('deploying again', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'everleaf-redeploy-'));
    rmSync(recordFolders.redeploy, { recursive: true, force: true });
    mkdirSync(recordFolders.redeploy, { recursive: true });
    emulator = await startEmulator({
      stateDir: join(folder, 'emulator'),
      region: 'ap-southeast-2',
      recordTo: join(recordFolders.redeploy, 'calls.jsonl'),
    });
    clients = connect(emulator.endpoint, emulator.region);
    const options = {
      env: localEnvironment(emulator.endpoint, emulator.region),
      logFile: join(folder, 'cdk.log'),
      signal: new AbortController().signal,
    };
    const output = join(folder, 'cdk.out');
    const context = {
      ...first,
      domain: domainOf.airunner,
      certificateArn: `arn:aws:acm:${emulator.region}:000000000000:certificate/0a1b2c3d`,
    };
    const words = Object.entries(context).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
    await runCdk(['synth', '--quiet', '--output', output, ...words], options);
    await runCdk(['bootstrap', '--app', output, `aws://000000000000/${emulator.region}`], options);
    await runCdk(['deploy', '--app', output, '--method=direct', '--require-approval=never'], options);
    deployed = template.parse(JSON.parse(readFileSync(join(output, 'Everleaf.template.json'), 'utf8')));
  });

  afterAll(async () => {
    if (emulator) recordRoles(recordFolders.redeploy, cloud.awsPython, emulator.endpoint, emulator.region);
    await emulator?.stop();
    if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
  });

  test('one deployment into an empty account is enough', async () => {
    expect(await settled(stackName(first))).toMatch(/^CREATE_COMPLETE$/);
    const { object, bundle } = await trust(first);
    expect(bundle).toBe(object?.pem);
    expect(readBundle(bundle ?? '').map(({ subject }) => subject)).toEqual(['CN=airunner prod CA\nO=airunner']);
    expect(await protection(first)).toEqual(tables.map(() => true));
  });

  test('a truststore that was rotated stays as it is when the stack is deployed again, and when that fails', async () => {
    const another = await (await makeRoot(first)).root();
    expect(await updateTruststore({ add: [another] })).toMatchObject({ changed: true, warnings: [] });
    const rotated = await trust(first);
    expect(rotated.version).toBe(rotated.object?.version);
    expect(rotated.object?.pem).toContain(another);
    expect(rotated.bundle).not.toContain(another);

    const described = structuredClone(deployed);
    const signer = described.Resources[find(described, 'AWS::Lambda::Function')];
    if (signer?.Properties) signer.Properties.Description = 'Changed';
    expect(await update(described)).toBe('UPDATE_COMPLETE');
    expect(await trust(first)).toEqual(rotated);

    expect(await update(failingAfter(deployed, 'AWS::ApiGateway::DomainName'))).toBe('UPDATE_ROLLBACK_COMPLETE');
    expect(await trust(first)).toEqual(rotated);
    expect(await protection(first)).toEqual(tables.map(() => true));

    const { changed } = z
      .object({ changed: z.boolean() })
      .parse(await updateTruststore({ remove: [sha256Of(another)] }));
    expect(changed).toBe(true);
    expect((await trust(first)).object?.pem).toBe(rotated.bundle);
  });

  test('a first deployment that fails leaves nothing and can simply be repeated', async () => {
    // At the domain; when everything is made and protected already; and when the audit hears its first stream.
    for (const last of ['AWS::ApiGateway::DomainName', 'Custom::ProtectedTables', 'AWS::Lambda::EventSourceMapping']) {
      expect(await create(failingAfter(deployed, last))).toBe('ROLLBACK_COMPLETE');
      const { TableNames } = await clients.dynamo.send(new ListTablesCommand({}));
      expect(TableNames?.filter((name) => name.startsWith(second.name))).toEqual([]);
      expect(await openParameters(second, clients.ssm).read('ca-cert')).toBeNull();
      await expect(clients.s3.send(new HeadBucketCommand({ Bucket: await bucketOf(second) }))).rejects.toThrow();
      await clients.cloudFormation.send(new DeleteStackCommand({ StackName: stackName(second) }));
    }
    expect(await create(deployed)).toBe('CREATE_COMPLETE');
    const { object, bundle } = await trust(second);
    expect(bundle).toBe(object?.pem);
  });
});
