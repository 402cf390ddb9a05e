/**
 * What makes the audit hear: made when everything else stands, since from the first entry on a signed head lies in a
 * bucket that nobody can empty, and a first deployment that fails is to leave nothing behind.
 */
import { Duration } from 'aws-cdk-lib';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction, SfnStateMachine } from 'aws-cdk-lib/aws-events-targets';
import { EventSourceMapping, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { Construct, type IConstruct } from 'constructs';
import { auditedTables, type Deployment } from '../src/names.ts';
import type { Audit } from './audit.ts';
import type { Authority } from './authority.ts';
import { sendTo } from './dead-letters.ts';
import { outsideEvents } from './outside-events.ts';
import type { Stamps } from './stamps.ts';
import type { Tables } from './tables.ts';

interface ListeningProps {
  readonly deployment: Deployment;
  readonly domain: string;
  readonly tables: Tables;
  readonly stamps: Stamps;
  readonly authority: Authority;
  readonly audit: Audit;
  /** Everything else. */
  readonly after: readonly IConstruct[];
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

export class Listening extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { deployment, domain, tables, stamps, authority, audit, after }: ListeningProps,
  ) {
    super(scope, id);
    const made: Construct[] = [];
    for (const name of auditedTables)
      made.push(
        new EventSourceMapping(this, capital(name), {
          target: audit.appendChanges,
          eventSourceArn: tables.all[name].tableStreamArn ?? '',
          startingPosition: StartingPosition.TRIM_HORIZON,
          batchSize: 100,
          parallelizationFactor: 1,
          bisectBatchOnError: true,
          // A stream forgets after 24 hours: what is given up before is named among the dead letters, and can still be read there.
          maxRecordAge: Duration.hours(23),
          onFailure: sendTo(audit.deadLetters),
        }),
      );

    const outside = {
      deployment,
      domain,
      buckets: [authority.truststore, audit.heads],
      keys: [authority.key, stamps.key, audit.key],
    };
    for (const [what, eventPattern] of Object.entries(outsideEvents(this, outside)))
      made.push(
        new Rule(this, `${what}Changed`, {
          description: `${what} of ${deployment.name} ${deployment.environment}, changed by whomever`,
          eventPattern,
          targets: [new LambdaFunction(audit.appendOutsideChange)],
        }),
      );
    const daily = (what: string, target: LambdaFunction | SfnStateMachine): Construct =>
      new Rule(this, what, { schedule: Schedule.rate(Duration.days(1)), targets: [target] });
    made.push(daily('ReconciledDaily', new LambdaFunction(audit.reconcile)));
    made.push(
      daily('VerifiedDaily', new SfnStateMachine(audit.verification, { input: RuleTargetInput.fromObject({}) })),
    );

    const [first, ...others] = made;
    first?.node.addDependency(...after);
    for (const other of others) other.node.addDependency(first ?? this);
  }
}
