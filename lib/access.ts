/** The gate: one authorizer in front of every method, behind a domain that answers to mutual TLS alone. */
import { ArnFormat, Duration, Stack, Validations } from 'aws-cdk-lib';
import {
  AuthorizationType,
  CfnAuthorizer,
  CfnBasePathMapping,
  CfnDomainName,
  EndpointType,
  type IAuthorizer,
  MethodLoggingLevel,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import { Certificate, CertificateValidation } from 'aws-cdk-lib/aws-certificatemanager';
import { CfnPermission, type IFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnRecordSet, HostedZone } from 'aws-cdk-lib/aws-route53';
import { Construct } from 'constructs';
import { truststoreKey } from '../src/names.ts';
import type { Authority } from './authority.ts';
import type { Config } from './config.ts';
import { addFunction, allow } from './function.ts';
import { waysAroundTheGate } from './gate-check.ts';
import { addGatewayResponses } from './gateway-responses.ts';
import type { Tables } from './tables.ts';

interface AccessProps {
  readonly config: Config;
  readonly tables: Tables;
  readonly authority: Authority;
}

/** First path parts that are, or will be, this API's own. */
const ownPaths = ['api', 'whoami', 'enroll', 'health', 'metrics', 'openapi.json', 'console'];

export class Access extends Construct {
  readonly api: RestApi;
  readonly authorizer: IAuthorizer;
  readonly domain: CfnDomainName;
  readonly certificateArn: string;
  private readonly gate: IFunction;

  constructor(scope: Construct, id: string, { config, tables, authority }: AccessProps) {
    super(scope, id);
    const { principals, certificates, controls } = tables.all;

    this.gate = addFunction(this, config, {
      entry: 'access/authorize-request',
      description: 'The gate: decides every request by its client certificate and three rows',
      format: 'cjs',
      timeout: Duration.seconds(10),
      grants: [
        // All of controls, though only the generation is read: one request spans the three tables, and whether a condition
        // on its leading keys is judged for each table or for all is not documented. For all would answer 503 to everybody.
        allow(['dynamodb:BatchGetItem'], [principals.tableArn, certificates.tableArn, controls.tableArn]),
      ],
      ...(config.authorizerReservedConcurrency === undefined
        ? {}
        : { reservedConcurrentExecutions: config.authorizerReservedConcurrency }),
    });

    this.api = new RestApi(this, 'Api', {
      restApiName: `${config.name}-${config.environment}`,
      description: `Everleaf ${config.name} ${config.environment}, behind mutual TLS`,
      endpointTypes: [EndpointType.REGIONAL],
      disableExecuteApiEndpoint: true,
      // The role for API Gateway's logs belongs to the account, not to a stack that may be deleted.
      cloudWatchRole: false,
      deployOptions: {
        stageName: 'live',
        throttlingRateLimit: 2_000,
        throttlingBurstLimit: 1_000,
        metricsEnabled: true,
        loggingLevel: MethodLoggingLevel.OFF,
        dataTraceEnabled: false,
      },
    });
    // It would name the endpoint that is closed.
    this.api.node.tryRemoveChild('Endpoint');
    acknowledgeFindings(this.api);
    this.authorizer = this.putGateBefore(this.api);

    const zone =
      config.hostedZoneId === undefined ? undefined : HostedZone.fromHostedZoneId(this, 'Zone', config.hostedZoneId);
    const certificate =
      config.certificateArn === undefined
        ? new Certificate(this, 'Certificate', {
            domainName: config.domain,
            validation: CertificateValidation.fromDns(zone),
          })
        : Certificate.fromCertificateArn(this, 'Certificate', config.certificateArn);
    this.certificateArn = certificate.certificateArn;

    this.domain = new CfnDomainName(this, 'Domain', {
      domainName: config.domain,
      regionalCertificateArn: this.certificateArn,
      endpointConfiguration: { types: [EndpointType.REGIONAL] },
      securityPolicy: 'TLS_1_2',
      // Without a version: the truststore's writer moves it, and no deployment may move it back.
      mutualTlsAuthentication: { truststoreUri: authority.truststore.s3UrlForObject(truststoreKey) },
    });
    this.domain.node.addDependency(authority.prepared);
    this.serve(this.api);

    if (config.hostedZoneId !== undefined)
      new CfnRecordSet(this, 'Alias', {
        hostedZoneId: config.hostedZoneId,
        name: `${config.domain}.`,
        type: 'A',
        aliasTarget: {
          dnsName: this.domain.attrRegionalDomainName,
          hostedZoneId: this.domain.attrRegionalHostedZoneId,
        },
      });
  }

  /**
   * Puts another REST API, of this stack or a later one, behind the same domain and the same gate. Hand the answer to
   * each of its methods as `authorizer`; synthesis fails while one of them, now or added later, goes without.
   */
  protect(api: RestApi, { basePath }: { basePath: string }): IAuthorizer {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(basePath) || ownPaths.includes(basePath))
      throw new Error(`basePath '${basePath}' must be one path part other than ${ownPaths.join(', ')}`);
    this.serve(api, basePath);
    return this.putGateBefore(api);
  }

  /** All of it stands beside the API and knows the gate by its ARN alone, so that no two stacks need each other. */
  private putGateBefore(api: RestApi): IAuthorizer {
    const stack = Stack.of(api);
    const properties = {
      name: 'everleaf',
      restApiId: api.restApiId,
      type: 'REQUEST',
      authorizerUri: `arn:${stack.partition}:apigateway:${stack.region}:lambda:path/2015-03-31/functions/${this.gate.functionArn}/invocations`,
      // No cache, and so no identity source that a request could lack: the gate is asked every time.
      authorizerResultTtlInSeconds: 0,
    };
    const authorizer = new CfnAuthorizer(api, 'Gate', properties);
    new CfnPermission(api, 'MayAskTheGate', {
      action: 'lambda:InvokeFunction',
      functionName: this.gate.functionArn,
      principal: 'apigateway.amazonaws.com',
      sourceArn: stack.formatArn({
        service: 'execute-api',
        resource: api.restApiId,
        resourceName: `authorizers/${authorizer.ref}`,
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      }),
    });
    addGatewayResponses(api);
    api.latestDeployment?.addToLogicalId({ gate: properties });
    api.node.addValidation({ validate: () => waysAroundTheGate(api, authorizer, properties.authorizerUri) });
    return { authorizerId: authorizer.ref, authorizationType: AuthorizationType.CUSTOM };
  }

  private serve(api: RestApi, basePath?: string): void {
    new CfnBasePathMapping(api, 'Served', {
      domainName: this.domain.ref,
      restApiId: api.restApiId,
      stage: api.deploymentStage.stageName,
      ...(basePath === undefined ? {} : { basePath }),
    });
  }
}

const acknowledgeFindings = (api: RestApi): void =>
  Validations.of(api).acknowledge(
    {
      id: 'AwsSolutions-COG4',
      reason:
        'Callers are machines with client certificates. Every method asks the gate; synthesis fails for one that does not.',
    },
    {
      id: 'AwsSolutions-APIG1',
      reason:
        'Access logs need the one role that an account gives API Gateway; a stack that sets it would take it away from others when deleted. The gate itself logs each denial with its principal and serial.',
    },
    {
      id: 'AwsSolutions-APIG6',
      reason: 'Execution logs need the same account-wide role and would hold request bodies.',
    },
    {
      id: 'AwsSolutions-APIG2',
      reason:
        'Each function validates its whole input strictly and names the wrong field, which the request validators of API Gateway cannot.',
    },
    {
      id: 'AwsSolutions-APIG3',
      reason:
        'Nobody without a certificate of the truststore completes a handshake; the stage is throttled. A web ACL can be associated with the stage.',
    },
  );
