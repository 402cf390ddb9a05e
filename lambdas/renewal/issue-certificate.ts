/** IssueCertificate of the state machine renew-certificate. */
import { issuingJobWorld } from '../../src/aws/renewal-world.ts';
import { internal } from '../../src/remote-error.ts';
import { issueForJob } from '../../src/renewal/issue-for-job.ts';
import { stepSchema, workflowAuthor } from '../../src/renewal/step.ts';

export const handler = internal(stepSchema, (step, { awsRequestId }) => {
  const world = issuingJobWorld();
  return issueForJob(world, workflowAuthor(world.deployment, step, awsRequestId), step);
});
