/** CloudFormation's custom resources without a framework: one event in, one answer to its URL, whatever happens. */
import { Logger } from '@aws-lambda-powertools/logger';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import type { Context } from 'aws-lambda';
import { z } from 'zod';
import { Conflict } from '../errors.ts';

const logger = new Logger();

const request = z.object({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  ResponseURL: z.url(),
  StackId: z.string(),
  RequestId: z.string(),
  LogicalResourceId: z.string(),
  PhysicalResourceId: z.string().optional(),
  ResourceProperties: z.record(z.string(), z.unknown()),
});

export type CustomResourceRequest = z.infer<typeof request>;

/** ms kept for the answer: without one CloudFormation waits until it gives up by itself. */
const answering_ms = 10_000;

/**
 * A handler whose resource has one physical id for ever: an update never makes CloudFormation delete "the old one".
 * `handle` is raced against the function's time; what it throws becomes the reason that the deployment shows.
 */
export const customResource =
  (handle: (request: CustomResourceRequest, context: Context) => Promise<void>) =>
  async (event: unknown, context: Context): Promise<void> => {
    const asked = request.parse(event);
    const answer = {
      StackId: asked.StackId,
      RequestId: asked.RequestId,
      LogicalResourceId: asked.LogicalResourceId,
      PhysicalResourceId: asked.PhysicalResourceId ?? asked.LogicalResourceId,
    };
    let timer: NodeJS.Timeout | undefined;
    const timeIsUp = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error('out of time')),
        Math.max(0, context.getRemainingTimeInMillis() - answering_ms),
      );
    });
    try {
      await Promise.race([handle(asked, context), timeIsUp]);
      await put(asked.ResponseURL, { Status: 'SUCCESS', ...answer });
    } catch (error) {
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      logger.error(`${asked.RequestType} failed: ${reason}`);
      await put(asked.ResponseURL, { Status: 'FAILED', Reason: reason.slice(0, 1_000), ...answer });
    } finally {
      clearTimeout(timer);
    }
  };

/** The URL is signed for a request without a content type. */
async function put(url: string, answer: Readonly<Record<string, string>>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch(url, {
        method: 'PUT',
        body: Buffer.from(JSON.stringify(answer)),
        signal: AbortSignal.timeout(answering_ms / 4),
      });
      if (response.ok) return;
      throw new Error(`CloudFormation answered ${response.status}`);
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

/** The rollback of a first creation, and of nothing else: only that takes away again what was made to stay. */
export const isFirstRollback = (stackStatus: string): boolean => stackStatus === 'ROLLBACK_IN_PROGRESS';

export const readStackStatus = async (StackName: string, client = new CloudFormationClient()): Promise<string> => {
  const { Stacks } = await client.send(new DescribeStacksCommand({ StackName }));
  const status = Stacks?.[0]?.StackStatus;
  if (status === undefined) throw new Error('CloudFormation does not know the stack');
  return status;
};

/**
 * Nothing is made for a stack that is not being made: a Create may be heard twice, also after the rollback has already
 * taken away what the first one made. @throws Conflict
 */
export const assertCreating = async (stackStatus: () => Promise<string>): Promise<void> => {
  const status = await stackStatus();
  if (status !== 'CREATE_IN_PROGRESS' && status !== 'UPDATE_IN_PROGRESS')
    throw new Conflict(`the stack is in ${status}, nothing is created for it`);
};
