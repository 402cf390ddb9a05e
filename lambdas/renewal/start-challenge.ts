/** StartChallenge of the state machine renew-certificate. */
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { internal } from '../../src/remote-error.ts';
import { startChallenge } from '../../src/renewal/start-challenge.ts';
import { stepSchema, workflowAuthor } from '../../src/renewal/step.ts';

export const handler = internal(stepSchema, (step, { awsRequestId }) => {
  const world = worldFromEnvironment();
  return startChallenge(world, workflowAuthor(world.deployment, step, awsRequestId), step);
});
