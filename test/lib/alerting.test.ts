/** Who is called when, and what every alarm tells the one who is called. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { auditMetrics } from '../../src/names.ts';
import { named, ofType, statementsOf, synthesise } from './synth.ts';

const template = synthesise();
const topic = (severity: string) => ({ Ref: named(template, 'AWS::SNS::Topic', severity)[0] });
const alarms = ofType(template, 'AWS::CloudWatch::Alarm');
const alarm = z.looseObject({
  AlarmName: z.string(),
  AlarmDescription: z.string(),
  AlarmActions: z.tuple([z.unknown()]),
  TreatMissingData: z.string(),
  MetricName: z.string(),
  Namespace: z.string(),
});

test.each(alarms)(
  '%s calls somebody, says what to do first, and is quiet when nothing is counted',
  (_, { Properties }) => {
    const { AlarmName, AlarmDescription, AlarmActions, TreatMissingData } = alarm.parse(Properties);
    expect([topic('Warning'), topic('Critical')]).toContainEqual(AlarmActions[0]);
    expect(AlarmDescription).toMatch(/\. First: .{40,}/);
    // CloudWatch takes no more.
    expect(AlarmDescription.length).toBeLessThanOrEqual(1_024);
    expect(AlarmName).toMatch(/^airunner-prod-[a-z-]+$/);
    expect(TreatMissingData).toBe('notBreaching');
    expect(Properties).not.toHaveProperty('OKActions');
  },
);

test('what may be a break-in is critical', () => {
  const critical = alarms
    .filter(([, { Properties }]) => JSON.stringify(Properties.AlarmActions) === JSON.stringify([topic('Critical')]))
    .map(([, { Properties }]) => alarm.parse(Properties).AlarmName);
  expect(critical).toEqual(
    [
      'out-of-band-change',
      'audit-chain-invalid',
      'audit-differences',
      'audit-record-unreadable',
      'audit-lag',
      'audit-dead-letters',
    ].map((name) => `airunner-prod-${name}`),
  );
});

test('what the audit counts in the deployment’s namespace is watched there, one is one too many', () => {
  const watched = alarms
    .map(([, { Properties }]) => alarm.parse(Properties))
    .filter(({ Namespace }) => Namespace === 'airunner/prod');
  const { entries: _, ...bad } = auditMetrics;
  expect(watched.map(({ MetricName }) => MetricName).sort()).toEqual(Object.values(bad).sort());
  for (const properties of watched)
    expect(properties).toMatchObject({
      // A sum could be taken back with a negative count.
      Statistic: 'Maximum',
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      EvaluationPeriods: 1,
      Period: 60,
    });
  for (const properties of watched) expect(properties).not.toHaveProperty('Dimensions');
});

test('lag of a minute or two, as a deployment makes, calls nobody; a quarter of an hour of errors is told', () => {
  const [, lag] = named(template, 'AWS::CloudWatch::Alarm', 'AuditLag');
  expect(lag.Properties).toMatchObject({
    MetricName: 'IteratorAge',
    Threshold: 300_000,
    Period: 60,
    EvaluationPeriods: 10,
    DatapointsToAlarm: 4,
  });
  const [, errors] = named(template, 'AWS::CloudWatch::Alarm', 'AppendChangesFails');
  expect(errors.Properties).toMatchObject({
    MetricName: 'Errors',
    Period: 300,
    EvaluationPeriods: 3,
    DatapointsToAlarm: 3,
  });
  const fn = named(template, 'AWS::Lambda::Function', 'AuditAppendChanges')[0];
  for (const { Properties } of [lag, errors])
    expect(Properties.Dimensions).toEqual([{ Name: 'FunctionName', Value: { Ref: fn } }]);
});

test('topics take messages over TLS alone, and from the alarms of this account', () => {
  for (const severity of ['Info', 'Warning', 'Critical']) {
    const [, { Properties }] = named(template, 'AWS::SNS::TopicPolicy', severity);
    expect(statementsOf(Properties.PolicyDocument)).toEqual([
      expect.objectContaining({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
      {
        Effect: 'Allow',
        Action: ['sns:Publish'],
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Resource: topic(severity),
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      },
    ]);
    expect(template.Outputs[`${severity}TopicArn`]?.Value).toEqual(topic(severity));
  }
});
