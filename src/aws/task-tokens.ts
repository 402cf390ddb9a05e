/** Wakes executions of state machines that wait by a token. */
import {
  InvalidToken,
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  SFNClient,
  TaskDoesNotExist,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';
import type { TaskTokens } from '../renewal/world.ts';

/** Characters that Step Functions takes of a cause. */
const longestCause = 32_768;

const isOver = (error: unknown): boolean =>
  error instanceof TaskDoesNotExist || error instanceof TaskTimedOut || error instanceof InvalidToken;

export const openTaskTokens = (
  client = new SFNClient({ maxAttempts: 4, requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000 } }),
): TaskTokens => {
  const unlessOver = async (telling: Promise<unknown>): Promise<void> => {
    try {
      await telling;
    } catch (error) {
      if (!isOver(error)) throw error;
    }
  };
  return {
    succeed: (taskToken) => unlessOver(client.send(new SendTaskSuccessCommand({ taskToken, output: '{}' }))),
    fail: (taskToken, { error, cause }) =>
      unlessOver(
        client.send(
          new SendTaskFailureCommand({
            taskToken,
            error,
            cause: JSON.stringify({ errorMessage: cause }).slice(0, longestCause),
          }),
        ),
      ),
    heartbeat: (taskToken) => unlessOver(client.send(new SendTaskHeartbeatCommand({ taskToken }))),
  };
};
