/** The API Gateway resources that the gateway knows, property by property: anything else in a template is refused at start. */
import { z } from 'zod';

const text = z.string();
const texts = z.record(text, text);

/** Only `false`, or absent: what would have to be enforced if it were on. */
const off = z.literal(false).optional();

export const schemas = {
  'AWS::ApiGateway::RestApi': z.strictObject({
    Name: text.optional(),
    Description: text.optional(),
    EndpointConfiguration: z.strictObject({ Types: z.tuple([z.literal('REGIONAL')]) }).optional(),
    DisableExecuteApiEndpoint: z.boolean().optional(),
    Tags: z.unknown().optional(),
  }),
  'AWS::ApiGateway::Resource': z.strictObject({ ParentId: text, PathPart: text, RestApiId: text }),
  'AWS::ApiGateway::Method': z.strictObject({
    RestApiId: text,
    ResourceId: text,
    HttpMethod: text,
    AuthorizationType: z.enum(['CUSTOM', 'NONE']),
    AuthorizerId: text.optional(),
    ApiKeyRequired: off,
    OperationName: text.optional(),
    MethodResponses: z
      .array(z.strictObject({ StatusCode: text, ResponseParameters: z.record(text, z.boolean()).optional() }))
      .optional(),
    Integration: z.discriminatedUnion('Type', [
      z.strictObject({
        Type: z.literal('AWS_PROXY'),
        IntegrationHttpMethod: z.literal('POST'),
        Uri: text,
        TimeoutInMillis: z.number().int().max(29_000).optional(),
      }),
      z.strictObject({
        Type: z.literal('MOCK'),
        RequestTemplates: texts,
        PassthroughBehavior: z.enum(['NEVER', 'WHEN_NO_MATCH', 'WHEN_NO_TEMPLATES']).optional(),
        IntegrationResponses: z.array(
          z.strictObject({
            StatusCode: text,
            SelectionPattern: text.optional(),
            ResponseParameters: texts.optional(),
            ResponseTemplates: texts.optional(),
          }),
        ),
      }),
    ]),
  }),
  'AWS::ApiGateway::Authorizer': z.strictObject({
    Name: text.optional(),
    RestApiId: text,
    Type: z.literal('REQUEST'),
    AuthorizerUri: text,
    // A cached decision would let a suspended caller in: the gateway has no cache to offer.
    AuthorizerResultTtlInSeconds: z.literal(0),
    IdentitySource: z.literal('').optional(),
  }),
  'AWS::ApiGateway::GatewayResponse': z.strictObject({
    RestApiId: text,
    ResponseType: text,
    StatusCode: text.optional(),
    ResponseTemplates: texts.optional(),
    ResponseParameters: texts.optional(),
  }),
  'AWS::ApiGateway::Deployment': z.object({ RestApiId: text }),
  'AWS::ApiGateway::Stage': z.strictObject({
    RestApiId: text,
    DeploymentId: text,
    StageName: text,
    Description: text.optional(),
    CacheClusterEnabled: off,
    // What only observes may stay unobserved here.
    AccessLogSetting: z.unknown().optional(),
    TracingEnabled: z.boolean().optional(),
    Tags: z.unknown().optional(),
    MethodSettings: z
      .array(
        z.strictObject({
          HttpMethod: z.literal('*'),
          ResourcePath: z.literal('/*'),
          DataTraceEnabled: z.boolean().optional(),
          LoggingLevel: text.optional(),
          MetricsEnabled: z.boolean().optional(),
          CachingEnabled: off,
          ThrottlingRateLimit: z.number().optional(),
          ThrottlingBurstLimit: z.number().optional(),
        }),
      )
      .optional(),
  }),
  'AWS::ApiGateway::DomainName': z.strictObject({
    DomainName: text,
    RegionalCertificateArn: text,
    OwnershipVerificationCertificateArn: text.optional(),
    EndpointConfiguration: z.strictObject({ Types: z.tuple([z.literal('REGIONAL')]) }),
    SecurityPolicy: z.literal('TLS_1_2'),
    MutualTlsAuthentication: z.strictObject({ TruststoreUri: z.unknown(), TruststoreVersion: z.unknown().optional() }),
    Tags: z.unknown().optional(),
  }),
  'AWS::ApiGateway::BasePathMapping': z.strictObject({
    DomainName: text,
    RestApiId: text,
    Stage: text,
    BasePath: text.optional(),
  }),
  'AWS::ApiGateway::Account': z.unknown(),
} as const;

export type ResourceType = keyof typeof schemas;
export type Properties<T extends ResourceType> = z.infer<(typeof schemas)[T]>;

export const isKnown = (type: string): type is ResourceType => Object.hasOwn(schemas, type);
