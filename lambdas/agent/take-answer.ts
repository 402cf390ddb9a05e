/** POST /api/v1/identity/agents/tasks/{task_id} {status, …} */
import { z } from 'zod';
import { waitingWorld } from '../../src/aws/renewal-world.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { answerTask } from '../../src/renewal/answer-task.ts';

export const handler = route(
  {
    ...takesNothing,
    path: z.strictObject({ task_id: z.string().min(1).max(256) }),
    // What it may hold depends on what was asked.
    body: z.looseObject({ status: z.enum(['done', 'failed'], 'must be done or failed') }),
  },
  async ({ caller, path, body }) => ({
    status: 200,
    body: await answerTask(waitingWorld(), { caller, ...path, body }),
  }),
);
