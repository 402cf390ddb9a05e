/** A small stack as CDK would synthesise it: one API behind a gate, and what a deployment made of it. */
import { type Deployed, type Template, template } from '../../local/gateway/template.ts';

const join = (...parts: unknown[]) => ({ 'Fn::Join': ['', parts] });
const uri = (fn: string) =>
  join(
    'arn:',
    { Ref: 'AWS::Partition' },
    ':apigateway:',
    { Ref: 'AWS::Region' },
    ':lambda:path/2015-03-31/functions/',
    { 'Fn::GetAtt': [fn, 'Arn'] },
    '/invocations',
  );
const permission = (fn: string, rest: string) => ({
  Type: 'AWS::Lambda::Permission',
  Properties: {
    Action: 'lambda:InvokeFunction',
    FunctionName: { 'Fn::GetAtt': [fn, 'Arn'] },
    Principal: 'apigateway.amazonaws.com',
    SourceArn: join('arn:aws:execute-api:eu-west-1:000000000000:', { Ref: 'Api' }, rest),
  },
});
const method = (resource: unknown, httpMethod: string, integration: unknown) => ({
  Type: 'AWS::ApiGateway::Method',
  Properties: {
    RestApiId: { Ref: 'Api' },
    ResourceId: resource,
    HttpMethod: httpMethod,
    AuthorizationType: 'CUSTOM',
    AuthorizerId: { Ref: 'Gate' },
    Integration: integration,
  },
});
const proxy = { Type: 'AWS_PROXY', IntegrationHttpMethod: 'POST', Uri: uri('Thing') };
const rootId = { 'Fn::GetAtt': ['Api', 'RootResourceId'] };
const path = (parent: unknown, part: string) => ({
  Type: 'AWS::ApiGateway::Resource',
  Properties: { ParentId: parent, PathPart: part, RestApiId: { Ref: 'Api' } },
});
const nothing = {
  Type: 'MOCK',
  RequestTemplates: { 'application/json': '{"statusCode": 404}' },
  PassthroughBehavior: 'NEVER',
  IntegrationResponses: [
    {
      StatusCode: '404',
      ResponseParameters: { 'method.response.header.Content-Type': "'application/problem+json'" },
      ResponseTemplates: { 'application/json': '{"status": 404}' },
    },
  ],
};

const problem = (kind: string) => ({
  Type: 'AWS::ApiGateway::GatewayResponse',
  Properties: {
    RestApiId: { Ref: 'Api' },
    ResponseType: kind,
    ResponseParameters: { 'gatewayresponse.header.Content-Type': "'application/problem+json'" },
    ResponseTemplates: { 'application/json': '{"title": $context.error.messageString}' },
  },
});

const resources = {
  Gatekeeper: { Type: 'AWS::Lambda::Function' },
  Thing: { Type: 'AWS::Lambda::Function' },
  GateMay: permission('Gatekeeper', '/authorizers/*'),
  ThingMay: permission('Thing', '/live/*/things*'),
  Api: { Type: 'AWS::ApiGateway::RestApi', Properties: { Name: 'small', DisableExecuteApiEndpoint: true } },
  Things: path(rootId, 'things'),
  ThingById: path({ Ref: 'Things' }, '{id}'),
  Rest: path(rootId, '{proxy+}'),
  GetThings: method({ Ref: 'Things' }, 'GET', proxy),
  PostThings: method({ Ref: 'Things' }, 'POST', proxy),
  GetThing: method({ Ref: 'ThingById' }, 'GET', proxy),
  AnyRoot: method(rootId, 'ANY', nothing),
  AnyRest: method({ Ref: 'Rest' }, 'ANY', nothing),
  Gate: {
    Type: 'AWS::ApiGateway::Authorizer',
    Properties: {
      RestApiId: { Ref: 'Api' },
      Type: 'REQUEST',
      AuthorizerUri: uri('Gatekeeper'),
      AuthorizerResultTtlInSeconds: 0,
    },
  },
  Denied: {
    Type: 'AWS::ApiGateway::GatewayResponse',
    Properties: {
      RestApiId: { Ref: 'Api' },
      ResponseType: 'ACCESS_DENIED',
      StatusCode: '401',
      ResponseTemplates: { 'application/json': '{"message": $context.authorizer.reason}' },
    },
  },
  Failed: {
    Type: 'AWS::ApiGateway::GatewayResponse',
    Properties: {
      RestApiId: { Ref: 'Api' },
      ResponseType: 'AUTHORIZER_FAILURE',
      StatusCode: '503',
      ResponseParameters: { 'gatewayresponse.header.Retry-After': "'2'" },
      ResponseTemplates: { 'application/json': '{"message": "unavailable"}' },
    },
  },
  Default4xx: problem('DEFAULT_4XX'),
  Default5xx: problem('DEFAULT_5XX'),
  Deployment: { Type: 'AWS::ApiGateway::Deployment', Properties: { RestApiId: { Ref: 'Api' } } },
  Stage: {
    Type: 'AWS::ApiGateway::Stage',
    Properties: {
      RestApiId: { Ref: 'Api' },
      DeploymentId: { Ref: 'Deployment' },
      StageName: 'live',
      MethodSettings: [{ HttpMethod: '*', ResourcePath: '/*', ThrottlingRateLimit: 500, ThrottlingBurstLimit: 50 }],
    },
  },
  Domain: {
    Type: 'AWS::ApiGateway::DomainName',
    Properties: {
      DomainName: 'small.example.com',
      RegionalCertificateArn: 'arn:aws:acm:eu-west-1:000000000000:certificate/1',
      EndpointConfiguration: { Types: ['REGIONAL'] },
      SecurityPolicy: 'TLS_1_2',
      MutualTlsAuthentication: { TruststoreUri: { 'Fn::Sub': 'left unresolved' } },
    },
  },
  Mapping: {
    Type: 'AWS::ApiGateway::BasePathMapping',
    Properties: { DomainName: { Ref: 'Domain' }, RestApiId: { Ref: 'Api' }, Stage: 'live' },
  },
};

/** The template with some resources replaced, added, or (undefined) left out. */
export const smallTemplate = (changes: Record<string, unknown> = {}): Template =>
  template.parse({
    Resources: Object.fromEntries(
      Object.entries({ ...resources, ...changes }).filter(([, value]) => value !== undefined),
    ),
  });

export const deployed = (from: Template): Deployed => ({
  region: 'eu-west-1',
  account: '000000000000',
  physicalIds: Object.fromEntries(
    Object.keys(from.Resources).map((id) => [id, id === 'Domain' ? 'small.example.com' : `${id.toLowerCase()}-1`]),
  ),
});

export const gateArn = 'arn:aws:lambda:eu-west-1:000000000000:function:gatekeeper-1';
export const thingArn = 'arn:aws:lambda:eu-west-1:000000000000:function:thing-1';
