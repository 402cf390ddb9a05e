/** Reads the audited tables' streams: enters every change of a row, whoever made it, and signs a head over it. */
import { z } from 'zod';
import { enter } from '../../src/audit/enter.ts';
import { judgeBatch } from '../../src/audit/judge-batch.ts';
import { auditWorldFromEnvironment } from '../../src/aws/audit-world.ts';

const batch = z.object({ Records: z.array(z.unknown()) });

export const handler = async (event: unknown): Promise<void> => {
  const world = auditWorldFromEnvironment();
  await enter(world, await judgeBatch(world, batch.parse(event).Records));
};
