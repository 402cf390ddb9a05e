/** Every day: compares the tables with what the chain says of them, and enters what differs. */
import { Logger } from '@aws-lambda-powertools/logger';
import type { Context } from 'aws-lambda';
import { z } from 'zod';
import { reconcileAudit } from '../../src/audit/reconcile.ts';
import { auditWorldFromEnvironment } from '../../src/aws/audit-world.ts';

const logger = new Logger();
const schedule = z.looseObject({ id: z.string().min(1) });

export const handler = async (event: unknown, context: Context): Promise<void> => {
  const world = auditWorldFromEnvironment();
  const result = await reconcileAudit(
    { ...world, remaining_ms: () => context.getRemainingTimeInMillis() },
    { run: schedule.safeParse(event).data?.id ?? context.awsRequestId },
  );
  logger.info('the tables were compared with the chain', { ...result });
};
