/** FinishRenewal of the state machine renew-certificate. */
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { count } from '../../src/metrics.ts';
import { renewalMetrics } from '../../src/names.ts';
import { internal } from '../../src/remote-error.ts';
import { finishRenewal } from '../../src/renewal/finish-renewal.ts';
import { stepSchema, workflowAuthor } from '../../src/renewal/step.ts';

export const handler = internal(stepSchema, async (step, { awsRequestId }) => {
  const world = worldFromEnvironment();
  await finishRenewal(world, workflowAuthor(world.deployment, step, awsRequestId), step);
  count(world.deployment, { [renewalMetrics.ended]: 1, [renewalMetrics.failed]: 0 });
});
