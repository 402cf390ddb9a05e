/** All of Everleaf as one construct: `new MachineIdentity(stack, 'Identity', config)`, then `.protect(api, { basePath })`. */
import type { IAuthorizer, RestApi } from 'aws-cdk-lib/aws-apigateway';
import { Construct } from 'constructs';
import { Access } from './access.ts';
import { Alerting } from './alerting.ts';
import { Api } from './api.ts';
import { Audit } from './audit.ts';
import { addAuditAlarms } from './audit-alarms.ts';
import { Authority } from './authority.ts';
import type { Config } from './config.ts';
import { Listening } from './listening.ts';
import { protectTables } from './protect-tables.ts';
import { Stamps } from './stamps.ts';
import { Tables } from './tables.ts';

export class MachineIdentity extends Construct {
  readonly tables: Tables;
  readonly authority: Authority;
  readonly access: Access;
  readonly audit: Audit;
  readonly alerting: Alerting;

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id);
    this.tables = new Tables(this, 'Tables', config);
    const stamps = new Stamps(this, 'Stamps', config);
    this.authority = new Authority(this, 'Authority', {
      deployment: config,
      domain: config.domain,
      tables: this.tables,
      stamps,
    });
    this.audit = new Audit(this, 'Audit', {
      deployment: config,
      domain: config.domain,
      tables: this.tables,
      stamps,
      authority: this.authority,
    });
    this.access = new Access(this, 'Access', { config, tables: this.tables, authority: this.authority });
    const api = new Api(this, 'Api', {
      deployment: config,
      domain: config.domain,
      tables: this.tables,
      stamps,
      access: this.access,
      audit: this.audit,
    });
    this.alerting = new Alerting(this, 'Alerting', config);
    addAuditAlarms(this.alerting, config, this.audit);

    this.audit.ownWriters.push(...this.authority.writers);
    const all: Construct[] = [this.tables, stamps, this.authority, this.audit, this.access, api, this.alerting];
    if (config.environment !== 'dev') {
      const protection = protectTables(this, config, { tables: this.tables, after: all });
      this.audit.ownWriters.push(protection.writer);
      all.push(protection.resource);
    }
    new Listening(this, 'Listening', {
      deployment: config,
      domain: config.domain,
      tables: this.tables,
      stamps,
      authority: this.authority,
      audit: this.audit,
      after: all,
    });
  }

  /**
   * Puts another REST API behind the same domain and gate: `https://{domain}/{basePath}/…`. Hand the answer to each of
   * its methods as `authorizer`. Synthesis fails while a method of it, now or added later, has no authorizer, when
   * results are cached, and when its default endpoint is open.
   */
  protect(api: RestApi, options: { basePath: string }): IAuthorizer {
    return this.access.protect(api, options);
  }
}
