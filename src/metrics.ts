/** Counts in CloudWatch's embedded metric format, one line of log for all of them. */
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { type AuditMetric, type Deployment, metricsNamespace, type RenewalMetric } from './names.ts';

/** Each count is one value of its metric in the deployment's namespace, whichever function counted it: without dimensions. */
export const count = (
  deployment: Deployment,
  counts: Readonly<Partial<Record<AuditMetric | RenewalMetric, number>>>,
): void => {
  const metrics = new Metrics({ namespace: metricsNamespace(deployment) });
  metrics.clearDefaultDimensions();
  // The one set of dimensions, an empty one: a list of no sets at all would be no metric.
  metrics.addDimensions({});
  for (const [name, value] of Object.entries(counts)) metrics.addMetric(name, MetricUnit.Count, value);
  metrics.publishStoredMetrics();
};
