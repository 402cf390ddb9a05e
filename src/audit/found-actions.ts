/** Actions that the audit finds by itself, which no stamp names, and which of them somebody has to hear of. */
import { type AuditMetric, auditMetrics } from '../names.ts';

export const foundActions = {
  /** Behind the product's back. */
  outOfBand: 'out_of_band',
  /** Behind its back, with a stamp that claims otherwise. */
  stampForged: 'stamp_forged',
  /** A row in the chain that the deployment did not append. */
  entryForged: 'entry_forged',
  /** A record of a stream that cannot be judged: it may hide anything. */
  recordUnreadable: 'record_unreadable',
  /** DynamoDB deleted a row at the end of its time to live. */
  rowExpired: 'row_expired',
  /** A row is not what the chain says of it. */
  difference: 'reconciliation_difference',
  reconciled: 'audit_reconciled',
  /** By CloudFormation. */
  deployed: 'deployed',
} as const;
export type FoundAction = (typeof foundActions)[keyof typeof foundActions];

/** By what it is counted, which calls somebody; null for what is as it should be. */
const metricOf: Readonly<Record<FoundAction, AuditMetric | null>> = {
  out_of_band: auditMetrics.outOfBand,
  stamp_forged: auditMetrics.outOfBand,
  entry_forged: auditMetrics.invalid,
  record_unreadable: auditMetrics.unreadable,
  row_expired: null,
  reconciliation_difference: auditMetrics.differences,
  audit_reconciled: null,
  deployed: null,
};

/** What nobody of the product did, or nobody can vouch for, each with the metric that counts it. */
export const suspiciousActions: ReadonlyMap<string, AuditMetric> = new Map(
  Object.entries(metricOf).flatMap(([action, metric]) => (metric === null ? [] : [[action, metric] as const])),
);
