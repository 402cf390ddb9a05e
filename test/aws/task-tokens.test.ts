/** Executions that wait by a token, in a real state machine: woken once, failed by name; one that waits no more is no error. */
import { randomBytes } from 'node:crypto';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { CreateStateMachineCommand, SFNClient, type StateMachineType } from '@aws-sdk/client-sfn';
import { beforeAll, expect, it } from 'vitest';
import { openStateMachine } from '../../src/aws/state-machine.ts';
import { openTaskTokens } from '../../src/aws/task-tokens.ts';
import { tableName } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { createTables } from '../tables.ts';

describeWithEmulator('an execution that waits by a token', (emulator) => {
  const deployment = { name: `t${randomBytes(5).toString('hex')}`, environment: 'dev' };
  const TableName = tableName(deployment, 'controls');
  const sfn = emulator.client(SFNClient);
  const tables = emulator.client(DynamoDBClient);
  const tokens = openTaskTokens(sfn);
  let machine: ReturnType<typeof openStateMachine>;

  beforeAll(async () => {
    await createTables(tables, deployment, ['controls']);
    const definition = {
      StartAt: 'Ask',
      States: {
        Ask: {
          Type: 'Task',
          Resource: 'arn:aws:states:::aws-sdk:dynamodb:putItem.waitForTaskToken',
          Parameters: {
            TableName,
            Item: { control_id: { 'S.$': '$$.Execution.Name' }, token: { 'S.$': '$$.Task.Token' } },
          },
          TimeoutSeconds: 20,
          Catch: [
            { ErrorEquals: ['NotServed'], ResultPath: '$.error', Next: 'Caught' },
            { ErrorEquals: ['States.ALL'], ResultPath: '$.error', Next: 'Other' },
          ],
          ResultPath: null,
          End: true,
        },
        Caught: { Type: 'Pass', End: true },
        Other: { Type: 'Fail', Error: 'Other' },
      },
    };
    const { stateMachineArn = '' } = await sfn.send(
      new CreateStateMachineCommand({
        name: `${deployment.name}-waits`,
        definition: JSON.stringify(definition),
        roleArn: 'arn:aws:iam::000000000000:role/any',
        type: 'STANDARD' satisfies StateMachineType,
      }),
    );
    machine = openStateMachine(stateMachineArn, sfn);
  });

  const until = async <T>(look: () => Promise<T | undefined>): Promise<T> => {
    for (let tries = 0; tries < 100; tries += 1) {
      const found = await look();
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('it never came');
  };
  const start = async (name: string): Promise<string> => {
    await machine.start(name, { job_id: 'a' });
    return until(async () => {
      const Key = { control_id: { S: name } };
      return (await tables.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }))).Item?.token?.S;
    });
  };
  const ended = (name: string) =>
    until(async () => {
      const found = await machine.find(name);
      return found?.status === 'running' ? undefined : (found ?? undefined);
    });

  it('goes on when it is told, and is not disturbed when it is told again', async () => {
    const token = await start('goes-on');
    await tokens.heartbeat(token);
    expect(await machine.find('goes-on')).toMatchObject({ status: 'running' });
    await tokens.succeed(token);
    expect(await ended('goes-on')).toEqual({ status: 'succeeded', output: { job_id: 'a' } });
    await tokens.succeed(token);
    await tokens.heartbeat(token);
    await tokens.fail(token, { error: 'Conflict', cause: 'too late' });
    expect(await machine.find('goes-on')).toMatchObject({ status: 'succeeded' });
  });

  it('fails by the name that it is told, with the cause where Lambda has its own', async () => {
    await tokens.fail(await start('fails'), { error: 'NotServed', cause: 'another is served' });
    const execution = await ended('fails');
    if (execution.status !== 'succeeded') throw new Error(execution.status);
    expect(execution.output).toEqual({
      job_id: 'a',
      error: { Error: 'NotServed', Cause: JSON.stringify({ errorMessage: 'another is served' }) },
    });
  });

  it('of a token that never was, nothing is heard', async () => {
    await tokens.succeed('no-such-token');
    await tokens.fail('no-such-token', { error: 'x', cause: 'y' });
    await tokens.heartbeat('no-such-token');
  });
});
