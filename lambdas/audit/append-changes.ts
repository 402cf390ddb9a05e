/** Reads the audited tables' streams: enters every change of a row, whoever made it, and signs a head over it. */
import { Logger } from '@aws-lambda-powertools/logger';
import { z } from 'zod';
import { appendChanges } from '../../src/audit/append-changes.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import { attributesIn } from '../../src/audit/row-change.ts';
import { auditWorldFromEnvironment } from '../../src/aws/audit-world.ts';
import { count } from '../../src/metrics.ts';
import { auditMetrics } from '../../src/names.ts';

const logger = new Logger();
const batch = z.object({ Records: z.array(z.unknown()) });

export const handler = async (event: unknown): Promise<void> => {
  const world = auditWorldFromEnvironment();
  const { entries, end } = await appendChanges(world, batch.parse(event).Records, ({ outOfBand, unreadable }) => {
    for (const { action, subject, details } of outOfBand)
      logger.warn('out-of-band change', { action, subject, attributes: attributesIn(details) });
    for (const { subject, event_ids, details } of unreadable)
      logger.error('a record of a stream cannot be read', { subject, event_ids, ...details });
    count(world.deployment, {
      [auditMetrics.outOfBand]: outOfBand.length,
      [auditMetrics.unreadable]: unreadable.length,
    });
  });
  if (end === null) return;
  count(world.deployment, { [auditMetrics.entries]: entries });
  await coverWithHead(world, end);
};
