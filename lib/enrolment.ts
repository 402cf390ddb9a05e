/** Enrolment: `POST /enroll` on an API of its own without mutual TLS, since a node that enrols has no certificate yet. */
import { ArnFormat, Duration, Stack, Validations } from 'aws-cdk-lib';
import {
  AuthorizationType,
  EndpointType,
  LambdaIntegration,
  MethodLoggingLevel,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { certificateIndexes, controlKeys, type Deployment, endpointKeys, functionName } from '../src/names.ts';
import { addFunction, allow, onlyRows } from './function.ts';
import type { Stamps } from './stamps.ts';
import type { Tables } from './tables.ts';

interface EnrolmentProps {
  readonly deployment: Deployment;
  /** The host name of the API behind mutual TLS: where agents report from then on. */
  readonly domain: string;
  readonly tables: Tables;
  readonly stamps: Stamps;
}

/** Requests a second, and at once: a fleet enrols in minutes, a guess takes longer than the universe has. */
const rate = 10;
const burst = 20;

export class Enrolment extends Construct {
  readonly api: RestApi;

  constructor(scope: Construct, id: string, { deployment, domain, tables, stamps }: EnrolmentProps) {
    super(scope, id);
    const { principals, certificates, controls, endpoints } = tables.all;
    const on = (table: { readonly tableArn: string }, actions: string[], rows?: string[]): PolicyStatement =>
      allow(
        actions.map((action) => `dynamodb:${action}`),
        [table.tableArn],
        rows === undefined ? undefined : onlyRows(...rows),
      );
    const { fleets, tokens, agents } = endpointKeys;
    const { generations, keys, enrolment } = controlKeys;
    const enroll = addFunction(this, deployment, {
      entry: 'enrolment/enroll',
      description: 'POST /enroll: lets a node into a fleet on the word of a token',
      timeout: Duration.seconds(25),
      stamps,
      environment: { DOMAIN_NAME: domain },
      grants: [
        // It makes principals, and can change none.
        on(principals, ['GetItem', 'PutItem']),
        on(certificates, ['GetItem', 'BatchGetItem', 'PutItem', 'ConditionCheckItem']),
        allow(['dynamodb:Query'], [`${certificates.tableArn}/index/${certificateIndexes.byPublicKey}`]),
        on(controls, ['GetItem', 'ConditionCheckItem'], [generations, keys, enrolment]),
        on(controls, ['PutItem'], [keys]),
        on(endpoints, ['GetItem'], [fleets, tokens, agents]),
        on(endpoints, ['ConditionCheckItem'], [fleets, tokens]),
        on(endpoints, ['UpdateItem'], [tokens]),
        on(endpoints, ['PutItem'], [agents]),
        allow(
          ['lambda:InvokeFunction'],
          [
            Stack.of(this).formatArn({
              service: 'lambda',
              resource: 'function',
              resourceName: functionName(deployment, 'sign-certificate'),
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          ],
        ),
      ],
    });
    this.api = new RestApi(this, 'Api', {
      restApiName: `${deployment.name}-${deployment.environment}-enrolment`,
      description: `Enrolment into ${deployment.name} ${deployment.environment}, without client certificates`,
      endpointTypes: [EndpointType.REGIONAL],
      cloudWatchRole: false,
      deployOptions: {
        stageName: 'live',
        throttlingRateLimit: rate,
        throttlingBurstLimit: burst,
        metricsEnabled: true,
        loggingLevel: MethodLoggingLevel.OFF,
        dataTraceEnabled: false,
      },
    });
    this.api.root.addResource('enroll').addMethod('POST', new LambdaIntegration(enroll, { allowTestInvoke: false }), {
      authorizationType: AuthorizationType.NONE,
    });
    acknowledgeFindings(this.api);
  }
}

const acknowledgeFindings = (api: RestApi): void =>
  Validations.of(api).acknowledge(
    {
      id: 'AwsSolutions-APIG4',
      reason:
        'Whoever enrols has no identity yet: the token in the request is what lets it in, and its function checks it.',
    },
    { id: 'AwsSolutions-COG4', reason: 'Agents are machines; the token in the request is what lets them in.' },
    {
      id: 'AwsSolutions-APIG1',
      reason:
        'Access logs need the one role that an account gives API Gateway; each enrolment is an entry of the audit.',
    },
    { id: 'AwsSolutions-APIG6', reason: 'Execution logs would hold request bodies, and so tokens.' },
    {
      id: 'AwsSolutions-APIG2',
      reason:
        'The function validates its whole input strictly and names the wrong field, which the request validators of API Gateway cannot.',
    },
    {
      id: 'AwsSolutions-APIG3',
      reason: 'The stage is throttled, and tokens have 256 random bits. A web ACL can be associated with the stage.',
    },
  );
