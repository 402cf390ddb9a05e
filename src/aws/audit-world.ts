/** The world of whoever appends to the audit's chain, as a deployed function finds it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@aws-lambda-powertools/logger';
import type { AuditWorld } from '../audit/world.ts';
import { count } from '../metrics.ts';
import { auditMetrics } from '../names.ts';
import { openAuditKey } from './audit-key.ts';
import { required } from './environment.ts';
import { openHeads } from './heads.ts';
import { worldFromEnvironment } from './world.ts';

export type { AuditWorld };

let auditing: AuditWorld | undefined;

/** Built once for each execution environment: AUDIT_KEY_ID, HEADS_BUCKET, STAMP_KEY_ID. */
export const auditWorldFromEnvironment = (): AuditWorld => {
  if (auditing === undefined) {
    const world = worldFromEnvironment();
    const { deployment } = world;
    const { publicKey, sign } = openAuditKey(required('AUDIT_KEY_ID'));
    const logger = new Logger();
    auditing = {
      ...world,
      heads: openHeads(required('HEADS_BUCKET'), { deployment, publicKey }),
      signHead: sign,
      sleep: (ms) => sleep(ms),
      memory: {},
      alarm: (problem, fields) => {
        logger.error(`audit: ${problem}`, { ...fields });
        count(deployment, { [auditMetrics.invalid]: 1 });
      },
      warn: (problem, fields) => logger.warn(`audit: ${problem}`, { ...fields }),
      count: (counts) => count(deployment, counts),
    };
  }
  return auditing;
};
