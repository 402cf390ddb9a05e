/** DeployCertificate of the state machine renew-certificate. */
import { waitingWorld } from '../../src/aws/renewal-world.ts';
import { internal } from '../../src/remote-error.ts';
import { deployForJob } from '../../src/renewal/deploy-for-job.ts';
import { waitingStepSchema, workflowAuthor } from '../../src/renewal/step.ts';

export const handler = internal(waitingStepSchema, (step, { awsRequestId }) => {
  const world = waitingWorld();
  return deployForJob(world, workflowAuthor(world.deployment, step, awsRequestId), step);
});
