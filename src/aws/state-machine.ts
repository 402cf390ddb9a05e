/** Executions of a state machine: started by name, and what became of them. */
import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  GetExecutionHistoryCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';

/** What became of an execution. */
export type Execution =
  /** `input`: of the state that it is in. */
  | { readonly status: 'running'; readonly input: unknown }
  | { readonly status: 'succeeded'; readonly output: unknown }
  /** It failed, took too long or was stopped. */
  | { readonly status: 'failed' };

export interface Executions {
  /** Starting one again, by the same name with the same input, changes nothing. */
  readonly start: (name: string, input: unknown) => Promise<void>;
  /** Null when there is none, or none any more: they are kept for 90 days. */
  readonly find: (name: string) => Promise<Execution | null>;
}

const executionArn = (machineArn: string, name: string): string =>
  `${machineArn.replace(':stateMachine:', ':execution:')}:${name}`;

/** Events of a history among which is the last state's beginning. */
const lastEvents = 20;

export const openStateMachine = (
  stateMachineArn: string,
  client = new SFNClient({ maxAttempts: 4, requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000 } }),
): Executions => {
  const presentInput = async (executionArn: string): Promise<string | undefined> => {
    const { events = [] } = await client.send(
      new GetExecutionHistoryCommand({ executionArn, reverseOrder: true, maxResults: lastEvents }),
    );
    return events.find(({ stateEnteredEventDetails: entered }) => entered !== undefined)?.stateEnteredEventDetails
      ?.input;
  };
  return {
    start: async (name, input) => {
      try {
        await client.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }));
      } catch (error) {
        if (!(error instanceof ExecutionAlreadyExists)) throw error;
      }
    },
    find: async (name) => {
      const arn = executionArn(stateMachineArn, name);
      try {
        const { status, input, output } = await client.send(new DescribeExecutionCommand({ executionArn: arn }));
        if (status === 'RUNNING')
          return { status: 'running', input: JSON.parse((await presentInput(arn)) ?? input ?? '{}') };
        if (status === 'SUCCEEDED') return { status: 'succeeded', output: JSON.parse(output ?? '{}') };
        return { status: 'failed' };
      } catch (error) {
        if (error instanceof ExecutionDoesNotExist) return null;
        throw error;
      }
    },
  };
};
