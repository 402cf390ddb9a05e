/** Hears from CloudTrail, through EventBridge, what was changed outside the tables, and enters it. */
import { Logger } from '@aws-lambda-powertools/logger';
import { z } from 'zod';
import { append } from '../../src/audit/append.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import { foundActions } from '../../src/audit/judge.ts';
import { outsideChange } from '../../src/audit/outside.ts';
import { auditWorldFromEnvironment } from '../../src/aws/audit-world.ts';
import { count } from '../../src/metrics.ts';
import { auditMetrics } from '../../src/names.ts';

const logger = new Logger();
const environment = z.object({
  TRUSTSTORE_BUCKET: z.string().min(1),
  HEADS_BUCKET: z.string().min(1),
  CA_KEY_ID: z.string().min(1),
  STAMP_KEY_ID: z.string().min(1),
  AUDIT_KEY_ID: z.string().min(1),
  DOMAIN_NAME: z.string().min(1),
  WRITER_ROLE_NAMES: z.string().min(1),
});

export const handler = async (event: unknown): Promise<void> => {
  const world = auditWorldFromEnvironment();
  const own = environment.parse(process.env);
  const draft = outsideChange(
    {
      deployment: world.deployment,
      truststoreBucket: own.TRUSTSTORE_BUCKET,
      headsBucket: own.HEADS_BUCKET,
      keys: [own.CA_KEY_ID, own.STAMP_KEY_ID, own.AUDIT_KEY_ID],
      domain: own.DOMAIN_NAME,
      writerRoles: own.WRITER_ROLE_NAMES.split(','),
    },
    event,
  );
  if (draft === null) return;
  const { action, subject, actor, details } = draft;
  const outOfBand = action === foundActions.outOfBand;
  const { entered, ...end } = await append(world, [draft]);
  // Told before the head is signed: an alarm does not wait for what may fail.
  if (outOfBand) logger.warn('out-of-band change', { action, subject, actor, ...details });
  count(world.deployment, { [auditMetrics.entries]: entered, [auditMetrics.outOfBand]: outOfBand ? 1 : 0 });
  await coverWithHead(world, end);
};
