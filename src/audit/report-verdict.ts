/** Makes what a verification found heard: a metric for the alarm, a log line for whoever follows it. */
import { Logger } from '@aws-lambda-powertools/logger';
import { count } from '../metrics.ts';
import { auditMetrics } from '../names.ts';
import type { World } from '../world.ts';
import type { Verdict } from './verification.ts';

const logger = new Logger();

export const reportVerdict = ({ deployment }: Pick<World, 'deployment'>, verdict: Verdict): void => {
  count(deployment, { [auditMetrics.invalid]: verdict.is_valid ? 0 : 1 });
  if (!verdict.is_valid) logger.error('the audit chain is not valid', { ...verdict });
  else if (verdict.remarks.length > 0) logger.warn('the audit chain is valid', { remarks: verdict.remarks });
};
