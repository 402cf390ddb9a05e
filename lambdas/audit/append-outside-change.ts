/** Hears from CloudTrail, through EventBridge, what was changed outside the tables, and enters it. */
import { Logger } from '@aws-lambda-powertools/logger';
import { z } from 'zod';
import { append } from '../../src/audit/append.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import { outsideChange } from '../../src/audit/outside.ts';
import { auditWorldFromEnvironment } from '../../src/aws/audit-world.ts';
import { count } from '../../src/metrics.ts';

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
  await coverWithHead(world, await append(world, [draft]));
  const outOfBand = draft.action === 'out_of_band';
  if (outOfBand) logger.warn('out-of-band change', { subject: draft.subject, actor: draft.actor, ...draft.details });
  count(world.deployment, { audit_entries_total: 1, out_of_band_changes_total: outOfBand ? 1 : 0 });
};
