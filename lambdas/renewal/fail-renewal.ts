/** FailRenewal of the state machine renew-certificate: `{caught: {error?, restore_error?}}` → what is next. */
import { Logger } from '@aws-lambda-powertools/logger';
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { count } from '../../src/metrics.ts';
import { renewalMetrics } from '../../src/names.ts';
import { internal } from '../../src/remote-error.ts';
import { failRenewal } from '../../src/renewal/fail-renewal.ts';
import { caughtSchema } from '../../src/renewal/failure.ts';
import { stepSchema, workflowAuthor } from '../../src/renewal/step.ts';

const logger = new Logger();
const payload = stepSchema.extend({
  caught: z.object({ error: caughtSchema.optional(), restore_error: caughtSchema.optional() }),
});

export const handler = internal(payload, async ({ caught, ...step }, { awsRequestId }) => {
  const world = worldFromEnvironment();
  const author = workflowAuthor(world.deployment, step, awsRequestId);
  const decision = await failRenewal(world, author, { ...step, ...caught });
  logger.warn('a renewal failed', { job_id: step.job_id, ...decision });
  const lost = decision.next === 'end' && (decision.status === 'FAILED' || decision.status === 'ROLLED_BACK');
  if (lost) count(world.deployment, { [renewalMetrics.ended]: 1, [renewalMetrics.failed]: 1 });
  return decision;
});
