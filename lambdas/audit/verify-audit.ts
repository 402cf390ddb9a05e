/** GET /api/v1/identity/audit/verify?since_head=true, and ?verification_id= of one that goes on in the background */
import { z } from 'zod';
import { reportVerdict } from '../../src/audit/report-verdict.ts';
import { verificationIdSchema, verifyAudit } from '../../src/audit/verify-audit.ts';
import { required } from '../../src/aws/environment.ts';
import { openStateMachine } from '../../src/aws/state-machine.ts';
import { verifyingWorld } from '../../src/aws/verifying-world.ts';
import { route, takesNothing } from '../../src/http/route.ts';

const query = z.strictObject({
  since_head: z
    .enum(['true', 'false'], 'must be true or false')
    .default('false')
    .transform((word) => word === 'true'),
  verification_id: verificationIdSchema.optional(),
});

export const handler = route({ ...takesNothing, query }, async ({ query }) => {
  const world = verifyingWorld();
  const answered = await verifyAudit(
    {
      ...world,
      runs: openStateMachine(required('VERIFY_STATE_MACHINE')),
      report: (verdict) => reportVerdict(world, verdict),
    },
    query,
  );
  return 'verdict' in answered ? { status: 200, body: answered.verdict } : { status: 202, body: answered.running };
});
