/** Where what nothing could take in the end is kept, for somebody to look at: 14 days, the longest there is. */
import { Duration, Validations } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

export function deadLetters(scope: Construct): Queue {
  const queue = new Queue(scope, 'DeadLetters', {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
  });
  Validations.of(queue).acknowledge({
    id: 'AwsSolutions-SQS3',
    reason: 'It is itself the queue of dead letters. Nothing consumes it but people, whom an alarm calls.',
  });
  return queue;
}

/** What a function could not take after Lambda's two retries goes there; its role must be allowed to send. */
export const sendTo = (queue: Queue) => ({
  bind: (_scope: Construct, _fn: IFunction) => ({ destination: queue.queueArn }),
});
