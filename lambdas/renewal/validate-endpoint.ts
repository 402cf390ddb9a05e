/** ValidateEndpoint of the state machine renew-certificate. */
import { validatingWorld } from '../../src/aws/renewal-world.ts';
import { internal } from '../../src/remote-error.ts';
import { waitingStepSchema, workflowAuthor } from '../../src/renewal/step.ts';
import { validateEndpoint } from '../../src/renewal/validate-endpoint.ts';

export const handler = internal(waitingStepSchema, (step, { awsRequestId }) => {
  const world = validatingWorld();
  return validateEndpoint(world, workflowAuthor(world.deployment, step, awsRequestId), step);
});
