/** Executions of a state machine by name; and the verification's own machine, its function aside. */
import { readFileSync } from 'node:fs';
import { CreateStateMachineCommand, SFNClient } from '@aws-sdk/client-sfn';
import { expect, it, vi } from 'vitest';
import { openStateMachine } from '../../src/aws/state-machine.ts';
import { describeWithEmulator } from '../emulator.ts';

const verification = JSON.parse(
  readFileSync(new URL('../../state-machines/verify-audit.asl.json', import.meta.url), 'utf8'),
);

describeWithEmulator('a state machine', (emulator) => {
  const client = emulator.client(SFNClient);
  const make = async (definition: unknown) => {
    const { stateMachineArn = '' } = await client.send(
      new CreateStateMachineCommand({
        name: `m${Date.now().toString(36)}${Math.floor(Math.random() * 1e6)}`,
        definition: JSON.stringify(definition),
        roleArn: 'arn:aws:iam::000000000000:role/any',
      }),
    );
    return openStateMachine(stateMachineArn, client);
  };

  it('is started once by each name, and tells what became of it', async () => {
    const wait = { Type: 'Wait', Seconds: 2, Next: 'Done' };
    const machine = await make({ StartAt: 'Wait', States: { Wait: wait, Done: { Type: 'Succeed' } } });
    expect(await machine.find('first')).toBeNull();
    await machine.start('first', { state: 7 });
    await machine.start('first', { state: 7 });
    expect(await machine.find('first')).toEqual({ status: 'running', input: { state: 7 } });
    await vi.waitFor(
      async () => expect(await machine.find('first')).toEqual({ status: 'succeeded', output: { state: 7 } }),
      { timeout: 10_000, interval: 200 },
    );
    expect(await machine.find('second')).toBeNull();
  });

  it('tells what it goes on with', async () => {
    const machine = await make({
      StartAt: 'Turn',
      States: {
        Turn: { Type: 'Pass', Result: { state: 8 }, Next: 'Wait' },
        Wait: { Type: 'Wait', Seconds: 3, End: true },
      },
    });
    await machine.start('moving', { state: 7 });
    await vi.waitFor(
      async () => expect(await machine.find('moving')).toEqual({ status: 'running', input: { state: 8 } }),
      { timeout: 2_500, interval: 100 },
    );
  });

  it('says that it failed', async () => {
    const machine = await make({ StartAt: 'Fail', States: { Fail: { Type: 'Fail', Error: 'E', Cause: 'c' } } });
    await machine.start('broken', {});
    await vi.waitFor(async () => expect(await machine.find('broken')).toEqual({ status: 'failed' }));
  });

  it('verifies until there is a verdict, which is its output', async () => {
    const { ContinueVerification } = verification.States;
    const verdict = { is_valid: true, total_entries: 3 };
    // In place of the function: a first turn that is not done yet, then one that is.
    const turn = (result: unknown, next: string) => ({ Type: 'Pass', Result: result, Next: next });
    const machine = await make({
      ...verification,
      StartAt: 'Begin',
      States: {
        ...verification.States,
        Begin: turn({ done: false, state: {} }, 'IsVerified'),
        ContinueVerification: turn({ done: true, verdict }, ContinueVerification.Next),
      },
    });
    await machine.start('verification', { state: {} });
    await vi.waitFor(async () =>
      expect(await machine.find('verification')).toEqual({ status: 'succeeded', output: verdict }),
    );
    expect(ContinueVerification.Retry[0]).toMatchObject({ BackoffRate: 2, MaxAttempts: 6 });
  });
});
