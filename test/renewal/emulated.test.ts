/** Renewals by the state machine's file and the bundled functions as they are deployed, on the emulator's Step Functions and Lambda. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  SFNClient,
} from '@aws-sdk/client-sfn';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { bundleOptions } from '../../lib/bundle.ts';
import { openStateMachine } from '../../src/aws/state-machine.ts';
import { openTaskTokens } from '../../src/aws/task-tokens.ts';
import { functionName, parameterName } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { createFunction } from '../local/small-function.ts';
import { deriveStampKey, makeStampKey } from '../stamps.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';
import type { TestNode } from './node.ts';

const steps = [
  'request-csr',
  'start-challenge',
  'issue-certificate',
  'deploy-certificate',
  'validate-endpoint',
  'finish-renewal',
  'fail-renewal',
  'restore-previous',
];
const file = fileURLToPath(new URL('../../state-machines/renew-certificate.asl.json', import.meta.url));

describeWithEmulator('a renewal on the emulator', (emulator) => {
  let d: TestDeployment;
  let node: TestNode;
  let machineArn = '';
  const lambda = emulator.client(LambdaClient);
  const sfn = emulator.client(SFNClient);

  const deploy = async (entry: string, FunctionName: string, environment: Record<string, string>): Promise<void> => {
    const { outputFiles } = await build({ ...bundleOptions(entry, 'cjs'), minify: false, write: false });
    await createFunction(lambda, { FunctionName, code: outputFiles?.[0]?.text ?? '', Timeout: 60, environment });
  };

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    const { deployment } = d.world;
    const kms = emulator.client(KMSClient);
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }));
    const stampKeyId = await makeStampKey(emulator);
    const environment = {
      EVERLEAF_NAME: deployment.name,
      EVERLEAF_ENVIRONMENT: deployment.environment,
      STAMP_KEY_ID: stampKeyId,
      CA_KEY_ID: KeyMetadata?.Arn ?? '',
      REACHABLE: '127.0.0.1',
      POWERTOOLS_LOG_LEVEL: 'SILENT',
    };
    const signer = functionName(deployment, 'sign-certificate');
    await deploy('authority/sign-certificate', signer, environment);
    const root = await lambda.send(
      new InvokeCommand({ FunctionName: signer, Payload: Buffer.from(JSON.stringify({ profile: 'root' })) }),
    );
    const { pem } = z.object({ pem: z.string() }).parse(JSON.parse(Buffer.from(root.Payload ?? []).toString()));
    await emulator
      .client(SSMClient)
      .send(new PutParameterCommand({ Name: parameterName(deployment, 'ca-cert'), Value: pem, Type: 'String' }));
    let definition = readFileSync(file, 'utf8');
    for (const step of steps) {
      const name = `${deployment.name}-${step}`;
      await deploy(`renewal/${step}`, name, environment);
      const state = step.replace(/(^|-)([a-z])/g, (_, _hyphen: string, letter: string) => letter.toUpperCase());
      definition = definition.replaceAll(
        `\${${state}Arn}`,
        `arn:aws:lambda:${emulator.region}:000000000000:function:${name}`,
      );
    }
    const made = await sfn.send(
      new CreateStateMachineCommand({
        name: `${deployment.name}-dev-renew-certificate`,
        definition,
        roleArn: 'arn:aws:iam::000000000000:role/any',
      }),
    );
    machineArn = made.stateMachineArn ?? '';
    const stampKey = await deriveStampKey(emulator, deployment, stampKeyId);
    d.world = {
      ...d.world,
      stampKey: async () => stampKey,
      tokens: openTaskTokens(sfn),
      renewals: openStateMachine(machineArn, sfn),
    };
    await d.makeFleet('web', { poll_after_seconds: 10 });
    node = await d.node('web', ['web-1']);
    await d.endpoint('web-1', node.port);
    await node.heartbeat();
  });
  afterAll(() => d.close());

  /** The agent asks every moment until the renewal's execution is over. */
  const untilOver = async (job_id: string) => {
    const executionArn = `${machineArn.replace(':stateMachine:', ':execution:')}:${job_id}`;
    for (const until = Date.now() + 25_000; Date.now() < until; ) {
      await node.turn();
      const { status, cause } = await sfn.send(new DescribeExecutionCommand({ executionArn }));
      if (status !== 'RUNNING') {
        const { events = [] } = await sfn.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1_000 }));
        return { status, cause, history: JSON.stringify(events) };
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${job_id} is still ${(await d.job(job_id)).status}`);
  };

  it('ends with the new certificate served, and no key in the execution’s history', async () => {
    const job_id = await d.run('web-1');
    const { status, history } = await untilOver(job_id);
    const job = await d.job(job_id);
    expect([status, job.status, job.reason]).toEqual(['SUCCEEDED', 'SUCCEEDED', undefined]);
    expect(node.serving()).toBe(job.fingerprint);
    expect(history).not.toContain('PRIVATE KEY');
    expect(history).not.toContain('BEGIN CERTIFICATE');
  });

  it('that fails puts the previous certificate back, and its execution fails with the reason', async () => {
    await d.policy('once', { retries: 0 });
    await d.endpoint('web-1', node.port, { policy_id: 'once' });
    const before = node.serving();
    node.instead.set('deploy', async (task) => {
      await node.work(task);
      return { status: 'failed', reason: 'nginx -t: exit code 1' };
    });
    const job_id = await d.run('web-1');
    const { status, cause } = await untilOver(job_id);
    node.instead.clear();
    expect([status, cause]).toEqual(['FAILED', 'nginx -t: exit code 1']);
    expect((await d.job(job_id)).status).toBe('ROLLED_BACK');
    expect(node.serving()).toBe(before);
  });

  it('that nobody answers is given up when its time is over, by a function that throws at once', async () => {
    await d.policy('hurried', { retries: 0, timeouts_seconds: { csr: 5, challenge: 5, deploy: 5, validate: 5 } });
    await d.endpoint('web-2', node.port, { policy_id: 'hurried' });
    const job_id = await d.run('web-2');
    await untilOver(job_id);
    expect((await d.job(job_id)).reason).toMatch(/^no agent serves web-2/);
    const doomed = await d.run('web-2');
    await d.endpoints.remove('web-2');
    const { status } = await untilOver(doomed);
    expect([status, (await d.job(doomed)).reason]).toEqual(['FAILED', 'the endpoint web-2 was deleted']);
  });
});
