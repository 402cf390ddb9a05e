/** The stack that `cdk deploy` deploys: one machine identity and what its users have to know of it. */
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { stackName } from '../src/names.ts';
import type { Config } from './config.ts';
import { MachineIdentity } from './machine-identity.ts';

export class EverleafStack extends Stack {
  readonly identity: MachineIdentity;

  constructor(scope: Construct, id: string, config: Config, props: StackProps = {}) {
    super(scope, id, {
      description: `Everleaf ${config.name} ${config.environment}: machine identities that look after themselves`,
      ...props,
      stackName: stackName(config),
    });
    this.identity = new MachineIdentity(this, 'Identity', config);
    const { access, alerting, audit, authority } = this.identity;
    const outputs: Record<string, string> = {
      Name: config.name,
      Environment: config.environment,
      Domain: config.domain,
      DomainCertificateArn: access.certificateArn,
      TruststoreBucket: authority.truststore.bucketName,
      RegionalDomainName: access.domain.attrRegionalDomainName,
      HeadsBucket: audit.heads.bucketName,
      AuditKeyArn: audit.key.keyArn,
      InfoTopicArn: alerting.topics.info.topicArn,
      WarningTopicArn: alerting.topics.warning.topicArn,
      CriticalTopicArn: alerting.topics.critical.topicArn,
    };
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value });
  }
}
