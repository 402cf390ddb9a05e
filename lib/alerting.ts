/** Who is called: three topics by how urgent it is, and alarms that say what to do first. */
import { Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { type Deployment, stackName } from '../src/names.ts';

export const severities = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof severities)[number];

export interface AlarmSpec {
  /** Ends the alarm's name, in lower case with hyphens. */
  readonly name: string;
  readonly severity: Severity;
  /** What it means, and what to do first. */
  readonly description: string;
  readonly metric: IMetric;
  /** It is too much from here on. */
  readonly threshold: number;
  /** So many of the last so many periods; one of one where nothing is said. */
  readonly periods?: { readonly of: number; readonly breaching: number };
}

export class Alerting extends Construct {
  readonly topics: Readonly<Record<Severity, Topic>>;
  private readonly deployment: Deployment;

  constructor(scope: Construct, id: string, deployment: Deployment) {
    super(scope, id);
    this.deployment = deployment;
    this.topics = { info: this.topic('info'), warning: this.topic('warning'), critical: this.topic('critical') };
  }

  /** Nothing counted is nothing wrong: what is quiet does not page. */
  alarm({ name, severity, description, metric, threshold, periods }: AlarmSpec): Alarm {
    const id = name.replace(/(^|-)([a-z])/g, (_, _hyphen: string, letter: string) => letter.toUpperCase());
    const alarm = new Alarm(this, id, {
      alarmName: `${stackName(this.deployment)}-${name}`,
      alarmDescription: description,
      metric,
      threshold,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: periods?.of ?? 1,
      datapointsToAlarm: periods?.breaching ?? 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(this.topics[severity]));
    return alarm;
  }

  private topic(severity: Severity): Topic {
    const { name, environment } = this.deployment;
    const topic = new Topic(this, severity.charAt(0).toUpperCase() + severity.slice(1), {
      displayName: `${name} ${environment}: ${severity}`,
      enforceSSL: true,
    });
    // A policy of its own takes the place of the one that lets the account's alarms publish.
    const stack = Stack.of(this);
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsOfThisAccount',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
      }),
    );
    return topic;
  }
}
