/** Hears from CloudTrail, through EventBridge, what was changed outside the tables, and enters it. */
import { z } from 'zod';
import { enter } from '../../src/audit/enter.ts';
import { outsideChange } from '../../src/audit/outside.ts';
import { auditWorldFromEnvironment } from '../../src/aws/audit-world.ts';

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
  await enter(world, draft === null ? [] : [draft]);
};
