/** The audit's alarms: none speaks on a quiet day or during a deployment. */
import { Duration } from 'aws-cdk-lib';
import { type IMetric, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { type AuditMetric, auditMetrics, type Deployment, metricsNamespace } from '../src/names.ts';
import type { Alerting } from './alerting.ts';
import type { Audit } from './audit.ts';

const minute = Duration.minutes(1);
const runbook = 'docs/operations.md, "Who changed what"';

export function addAuditAlarms(alerting: Alerting, deployment: Deployment, audit: Audit): void {
  // Not the sum, which whoever may put metric data could take back with a negative count.
  const counted = (metricName: AuditMetric): IMetric =>
    new Metric({ namespace: metricsNamespace(deployment), metricName, statistic: Stats.MAXIMUM, period: minute });

  alerting.alarm({
    name: 'out-of-band-change',
    severity: 'critical',
    description: `Somebody changed a row, or what lies outside the tables, without Everleaf. First: \`everleaf audit list --since 1h --action out_of_band\` (and stamp_forged, which is an intrusion) says what, and of what lies outside the tables who. If nobody of yours did it in an emergency, suspend what it opened. ${runbook}.`,
    metric: counted(auditMetrics.outOfBand),
    threshold: 1,
  });
  alerting.alarm({
    name: 'audit-chain-invalid',
    severity: 'critical',
    description: `The audit chain or its signed heads are not what was written. First: \`everleaf audit verify\` names the first sequence that is wrong; everything before it stands. Change nothing in the audit table and the heads' bucket; export both. ${runbook}.`,
    metric: counted(auditMetrics.invalid),
    threshold: 1,
  });
  alerting.alarm({
    name: 'audit-differences',
    severity: 'critical',
    description: `A row is not what the chain says of it: a change was never told. First: \`everleaf audit list --since 24h --action reconciliation_difference\` says which; then look whether a stream mapping of append-changes is or was disabled. ${runbook}.`,
    metric: counted(auditMetrics.differences),
    threshold: 1,
  });
  // As loud as a change behind the product's back, which would else choose this way.
  alerting.alarm({
    name: 'audit-record-unreadable',
    severity: 'critical',
    description: `A change came from a table's stream in a shape that could not be judged; it may hide anything. First: \`everleaf audit list --since 1h --action record_unreadable\` names stream and event; look at the table's recent rows, then at the log of append-changes. ${runbook}.`,
    metric: counted(auditMetrics.unreadable),
    threshold: 1,
  });
  alerting.alarm({
    name: 'audit-lag',
    severity: 'critical',
    description:
      'Changes wait for more than five minutes to be entered; after 24 hours the streams forget them. First: look at the errors in the log of append-changes, and at the throttles of the audit table and of the function.',
    metric: audit.appendChanges.metric('IteratorAge', { period: minute, statistic: Stats.MAXIMUM }),
    threshold: Duration.minutes(5).toMilliseconds(),
    // The first deployment's own changes are minutes old when the mappings are made: they pass in one or two of these.
    periods: { of: 10, breaching: 4 },
  });
  alerting.alarm({
    name: 'audit-dead-letters',
    severity: 'critical',
    description:
      'The audit gave up on changes: they are in no entry. First: read the messages of the dead-letter queue, which name the stream’s records or hold the event; once the cause is gone, a stream’s records can be read for an hour more, an event can be sent to its function again. The daily reconciliation reports rows that were missed.',
    metric: audit.deadLetters.metricApproximateNumberOfMessagesVisible({ period: minute, statistic: Stats.MAXIMUM }),
    threshold: 1,
  });
  // What the other two could not do in three tries is a dead letter.
  alerting.alarm({
    name: 'append-changes-fails',
    severity: 'warning',
    description:
      'append-changes has failed for a quarter of an hour; what it is to enter is tried again and not lost yet. First: look at the errors in its log, which name what refused it: the table, the key or the heads’ bucket.',
    metric: audit.appendChanges.metricErrors({ period: Duration.minutes(5), statistic: Stats.SUM }),
    threshold: 1,
    periods: { of: 3, breaching: 3 },
  });
  const verification = { period: Duration.minutes(5), statistic: Stats.SUM };
  for (const [ends, metric] of [
    ['fails', audit.verification.metricFailed(verification)],
    ['times-out', audit.verification.metricTimedOut(verification)],
    ['is-stopped', audit.verification.metricAborted(verification)],
  ] as const)
    alerting.alarm({
      name: `verify-audit-${ends}`,
      severity: 'warning',
      description:
        'The daily verification of the audit chain did not come to its end, so that nobody knows whether the chain is valid. First: open the failed execution of the state machine verify-audit, then start it again.',
      metric,
      threshold: 1,
    });
}
