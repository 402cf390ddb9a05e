/** All of Everleaf as one construct: `new MachineIdentity(stack, 'Identity', config)`, then `.protect(api, { basePath })`. */
import type { IAuthorizer, RestApi } from 'aws-cdk-lib/aws-apigateway';
import { Construct } from 'constructs';
import { Access } from './access.ts';
import { Api } from './api.ts';
import { Authority } from './authority.ts';
import type { Config } from './config.ts';
import { protectTables } from './protect-tables.ts';
import { Stamps } from './stamps.ts';
import { Tables } from './tables.ts';

export class MachineIdentity extends Construct {
  readonly tables: Tables;
  readonly authority: Authority;
  readonly access: Access;

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
    this.access = new Access(this, 'Access', { config, tables: this.tables, authority: this.authority });
    const api = new Api(this, 'Api', { deployment: config, tables: this.tables, stamps, access: this.access });
    if (config.environment !== 'dev')
      protectTables(this, config, { tables: this.tables, after: [this.authority, this.access, api] });
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
