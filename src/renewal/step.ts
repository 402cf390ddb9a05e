/** What every step of the state machine begins with: the renewal as it stands, if this execution may go on with it. */
import { z } from 'zod';
import { requestIdSchema } from '../audit/author.ts';
import type { Author } from '../audit/stamp.ts';
import { Conflict } from '../errors.ts';
import { type Deployment, stateMachineName } from '../names.ts';
import type { World } from '../world.ts';
import { getJob } from './find-job.ts';
import { type Job, jobIdSchema } from './job.ts';
import type { Status } from './status.ts';

export const stepSchema = z.object({
  job_id: jobIdSchema,
  /** The name of the execution that asks. */
  execution: z.string().min(1),
});
export type StepInput = z.infer<typeof stepSchema>;

/** For steps that end when somebody says so. */
export const waitingStepSchema = stepSchema.extend({ task_token: z.string().min(1) });
export type WaitingStepInput = z.infer<typeof waitingStepSchema>;

export const workflowAuthor = (deployment: Deployment, { execution }: StepInput, request_id: string): Author => ({
  actor: `workflow:${stateMachineName(deployment, 'renew-certificate')}/${execution}`,
  request_id: requestIdSchema.parse(request_id),
});

export const isSuperseded = (job: Job, { execution }: StepInput): boolean => job.execution !== execution;

/** The way without a failure, in its order. */
const way: readonly Status[] = [
  'PENDING',
  'CSR_REQUESTED',
  'CSR_RECEIVED',
  'CHALLENGE_PENDING',
  'CHALLENGE_COMPLETE',
  'ISSUING',
  'ISSUED',
  'DEPLOYING',
  'VALIDATING',
  'SUCCEEDED',
];

/** Whether the renewal has come so far, or further, in this try. */
export const hasReached = ({ status }: Job, aim: Status): boolean => way.indexOf(status) >= way.indexOf(aim);

/** A step that is to be taken from `status` finds another one. */
export const outOfTurn = ({ job_id, status, reason }: Job): Conflict =>
  new Conflict(`the renewal ${job_id} is ${status}${reason === undefined ? '' : `: ${reason}`}`, 'status');

/** @throws Conflict where another execution took over; NotFound */
export const readStep = async (world: World, step: StepInput): Promise<Job> => {
  const job = await getJob(world, step.job_id);
  if (isSuperseded(job, step))
    throw new Conflict(`the execution ${job.execution} has taken over the renewal ${job.job_id}`, 'execution');
  return job;
};

/** What a rollback that was wished for stops, where its state can fail. @throws Conflict with the wish's reason */
export const stopIfUnwanted = ({ rollback }: Job): void => {
  if (rollback !== undefined) throw new Conflict(rollback.reason, 'status');
};
