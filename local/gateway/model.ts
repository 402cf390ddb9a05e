/** What the gateway serves, built from a deployed template: APIs by base path, each with its routes, gate and answers. */
import { z } from 'zod';
import { parseResponseTemplate, type ResponseTemplate } from './answers.ts';
import { matches } from './policy.ts';
import { addRoute, newNode, type RouteNode } from './routes.ts';
import { isKnown, type Properties, type ResourceType, schemas } from './schema.ts';
import { type Deployed, resolver, type Template, UnknownConstruct } from './template.ts';

export interface MockAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Integration =
  | { readonly type: 'function'; readonly functionArn: string; readonly timeoutMs: number }
  | { readonly type: 'mock'; readonly answer: MockAnswer };

export interface Method {
  /** The resource's path as declared, `/api/v1/principals/{principal_id}`. */
  readonly resource: string;
  readonly resourceId: string;
  readonly httpMethod: string;
  readonly authorizer: { readonly id: string; readonly functionArn: string } | undefined;
  readonly integration: Integration;
}

export interface Api {
  readonly id: string;
  readonly stage: string;
  /** Undefined: the API is served at the domain's root. */
  readonly basePath: string | undefined;
  readonly root: RouteNode;
  readonly gatewayResponses: ReadonlyMap<string, ResponseTemplate>;
  readonly throttle: { readonly ratePerSecond: number; readonly burst: number } | undefined;
}

export interface Model {
  readonly domain: string;
  readonly apis: readonly Api[];
  readonly region: string;
  readonly account: string;
  /** Logical ids of APIs that no domain serves. */
  readonly unserved: readonly string[];
}

type Found<T extends ResourceType> = readonly (readonly [string, Properties<T>])[];

/** @throws UnknownConstruct for whatever this gateway would have to guess at. */
export const buildModel = (from: Template, deployed: Deployed): Model => {
  const resolve = resolver(from, deployed);
  for (const [id, { Type }] of Object.entries(from.Resources)) {
    if (Type.startsWith('AWS::ApiGateway::') && !isKnown(Type))
      throw new UnknownConstruct(`${Type} (${id}) is not known`);
    if (Type.startsWith('AWS::ApiGatewayV2::')) throw new UnknownConstruct(`${Type} (${id}) is not known`);
  }
  const all = <T extends ResourceType>(type: T, skip: readonly string[] = []): Found<T> =>
    Object.entries(from.Resources)
      .filter(([, r]) => r.Type === type)
      .map(([id, r]) => {
        const given = Object.fromEntries(
          Object.entries(r.Properties).map(([name, value]) => [name, skip.includes(name) ? value : resolve(value)]),
        );
        const parsed = schemas[type].safeParse(given);
        if (!parsed.success) throw new UnknownConstruct(`${type} ${id}: ${z.prettifyError(parsed.error)}`);
        return [id, parsed.data as Properties<T>] as const;
      });
  const physical = (logicalId: string): string => resolve({ Ref: logicalId }) as string;

  const domains = all('AWS::ApiGateway::DomainName', ['MutualTlsAuthentication', 'Tags']);
  const [domain] = domains;
  if (!domain || domains.length > 1)
    throw new UnknownConstruct(`one domain is served, the template has ${domains.length}`);
  const mappings = all('AWS::ApiGateway::BasePathMapping');
  const resources = all('AWS::ApiGateway::Resource');
  const methods = all('AWS::ApiGateway::Method');
  const authorizers = all('AWS::ApiGateway::Authorizer').map(([id, a]) => ({ ...a, id: physical(id) }));
  const gatewayResponses = all('AWS::ApiGateway::GatewayResponse');
  const stages = all('AWS::ApiGateway::Stage', ['AccessLogSetting', 'Tags']);
  const mayInvoke = permissions(from, resolve);
  const arnOf = (api: string, rest: string) =>
    `arn:aws:execute-api:${deployed.region}:${deployed.account}:${api}/${rest}`;
  const functionOf = (uri: string, caller: string): string => {
    const functionArn = /\/functions\/(arn:aws:lambda:[^/]+)\/invocations$/.exec(uri)?.[1];
    if (!functionArn) throw new UnknownConstruct(`integration ${uri} is not a Lambda function`);
    if (!mayInvoke(functionArn, caller))
      throw new UnknownConstruct(`no AWS::Lambda::Permission lets ${caller} call ${functionArn}`);
    return functionArn;
  };

  const buildApi = (logicalId: string): Api | undefined => {
    const id = physical(logicalId);
    const mapping = mappings.find(([, m]) => m.RestApiId === id && m.DomainName === domain[1].DomainName)?.[1];
    if (!mapping) return undefined;
    const stage = stages.find(([, s]) => s.RestApiId === id && s.StageName === mapping.Stage)?.[1];
    if (!stage) throw new UnknownConstruct(`stage ${mapping.Stage} of ${logicalId} is not in the template`);
    const pathOf = (resourceId: string): string => {
      if (resourceId === `root of ${logicalId}`) return '';
      const found = resources.find(([r]) => physical(r) === resourceId);
      if (!found) throw new UnknownConstruct(`resource ${resourceId} of ${logicalId} is not in the template`);
      return `${pathOf(found[1].ParentId)}/${found[1].PathPart}`;
    };
    const root = newNode();
    for (const [r, { RestApiId }] of resources) if (RestApiId === id) addRoute(root, pathOf(physical(r)), undefined);
    for (const [, method] of methods) {
      if (method.RestApiId !== id) continue;
      const path = pathOf(method.ResourceId);
      const authorizer = authorizers.find((a) => a.id === method.AuthorizerId);
      if (method.AuthorizationType === 'CUSTOM' && !authorizer) {
        throw new UnknownConstruct(`${method.HttpMethod} ${path}: its authorizer is not in the template`);
      }
      const star = path.replace(/\{[^}]*\}/g, '*');
      const { Integration: integration } = method;
      addRoute(root, path, {
        resource: path === '' ? '/' : path,
        resourceId: method.ResourceId,
        httpMethod: method.HttpMethod,
        authorizer:
          method.AuthorizationType === 'CUSTOM' && authorizer
            ? {
                id: authorizer.id,
                functionArn: functionOf(authorizer.AuthorizerUri, arnOf(id, `authorizers/${authorizer.id}`)),
              }
            : undefined,
        integration:
          integration.Type === 'MOCK'
            ? { type: 'mock', answer: mockAnswer(integration, `${method.HttpMethod} ${path}`) }
            : {
                type: 'function',
                functionArn: functionOf(integration.Uri, arnOf(id, `${stage.StageName}/${method.HttpMethod}${star}`)),
                timeoutMs: integration.TimeoutInMillis ?? 29_000,
              },
      });
    }
    const settings = stage.MethodSettings?.[0];
    const { ThrottlingRateLimit: rate, ThrottlingBurstLimit: burst } = settings ?? {};
    return {
      id,
      stage: stage.StageName,
      basePath: mapping.BasePath,
      root,
      gatewayResponses: new Map(
        gatewayResponses
          .filter(([, g]) => g.RestApiId === id)
          .map(([, g]) => [g.ResponseType, parseResponseTemplate(g)]),
      ),
      throttle: rate === undefined ? undefined : { ratePerSecond: rate, burst: burst ?? rate },
    };
  };

  const apis: Api[] = [];
  const unserved: string[] = [];
  for (const [logicalId] of all('AWS::ApiGateway::RestApi')) {
    const api = buildApi(logicalId);
    if (api) apis.push(api);
    else unserved.push(logicalId);
  }
  return { domain: domain[1].DomainName, apis, region: deployed.region, account: deployed.account, unserved };
};

const permission = z.object({
  Action: z.string(),
  FunctionName: z.string(),
  Principal: z.string(),
  SourceArn: z.string().optional(),
});

/** Whether the template lets API Gateway call a function on behalf of a method or an authorizer, as AWS would check. */
const permissions = (from: Template, resolve: (value: unknown) => unknown) => {
  const granted = Object.values(from.Resources)
    .filter((r) => r.Type === 'AWS::Lambda::Permission')
    // Others' permissions may refer to what the gateway knows nothing of.
    .filter((r) => r.Properties.Principal === 'apigateway.amazonaws.com')
    .map((r) => permission.parse(resolve(r.Properties)))
    .filter((p) => p.Action === 'lambda:InvokeFunction');
  return (functionArn: string, caller: string): boolean =>
    granted.some(
      (p) =>
        (p.FunctionName === functionArn || functionArn.endsWith(`:function:${p.FunctionName}`)) &&
        (p.SourceArn === undefined || matches(p.SourceArn, caller)),
    );
};

type MockIntegration = Extract<Properties<'AWS::ApiGateway::Method'>['Integration'], { Type: 'MOCK' }>;

/** A mock whose templates are constant: what it answers is known at start. */
const mockAnswer = (integration: MockIntegration, where: string): MockAnswer => {
  const json = 'application/json';
  const constant = (value: string | undefined): string => {
    if (value === undefined) return '';
    if (/[#$]/.test(value)) throw new UnknownConstruct(`${where}: a mock template that is not constant: ${value}`);
    return value;
  };
  const request = z.object({ statusCode: z.number() }).parse(JSON.parse(constant(integration.RequestTemplates[json])));
  const response =
    integration.IntegrationResponses.find((r) => r.SelectionPattern === String(request.statusCode)) ??
    integration.IntegrationResponses.find((r) => r.SelectionPattern === undefined);
  if (!response) throw new UnknownConstruct(`${where}: no integration response for ${request.statusCode}`);
  const headers: Record<string, string> = {};
  for (const [target, source] of Object.entries(response.ResponseParameters ?? {})) {
    const name = /^method\.response\.header\.(.+)$/.exec(target)?.[1];
    const value = /^'(.*)'$/.exec(source)?.[1];
    if (!name || value === undefined) throw new UnknownConstruct(`${where}: response parameter ${target}: ${source}`);
    headers[name] = value;
  }
  return {
    status: Number(response.StatusCode),
    headers: { 'Content-Type': json, ...headers },
    body: constant(response.ResponseTemplates?.[json]),
  };
};
