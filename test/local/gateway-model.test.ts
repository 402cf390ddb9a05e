import { describe, expect, it } from 'vitest';
import { buildModel } from '../../local/gateway/model.ts';
import { evaluate, matches } from '../../local/gateway/policy.ts';
import { findRoute } from '../../local/gateway/routes.ts';
import { tokenBucket } from '../../local/gateway/throttle.ts';
import { deployed, smallTemplate } from './small-template.ts';

const build = (changes: Record<string, unknown> = {}) => {
  const template = smallTemplate(changes);
  return buildModel(template, deployed(template));
};
const change = (id: string, properties: Record<string, unknown>) => {
  const resource = smallTemplate().Resources[id];
  return { [id]: { Type: resource?.Type, Properties: { ...resource?.Properties, ...properties } } };
};

describe('the gateway serves what the template says', () => {
  const [api] = build().apis;
  const find = (method: string, path: string) => api && findRoute(api.root, method, path);

  it('prefers literal parts, then named ones, then the greedy one, and decodes nothing', () => {
    expect(find('GET', '/things')?.method?.resource).toBe('/things');
    expect(find('GET', '/things/a%2Fb')).toMatchObject({
      method: { resource: '/things/{id}' },
      pathParameters: { id: 'a%2Fb' },
    });
    expect(find('GET', '/things/a/b')).toMatchObject({
      method: { resource: '/{proxy+}' },
      pathParameters: { proxy: 'things/a/b' },
    });
    expect(find('DELETE', '/')?.method?.resource).toBe('/');
    expect(find('GET', '/things/')?.method?.resource).toBe('/{proxy+}');
    expect(find('GET', '/things/..')).toMatchObject({ pathParameters: { id: '..' } });
  });

  it('has no method where a path is declared without it', () => {
    expect(find('DELETE', '/things')).toMatchObject({ method: undefined });
  });

  it('takes the throttle of the stage', () => {
    expect(api?.throttle).toEqual({ ratePerSecond: 500, burst: 50 });
    const pass = tokenBucket({ ratePerSecond: 10, burst: 2 });
    expect([pass(1000), pass(1000), pass(1000), pass(1100), pass(1100)]).toEqual([true, true, false, true, false]);
  });
});

describe('what it does not know is an error at start', () => {
  it.each([
    ['a resource type', { Plan: { Type: 'AWS::ApiGateway::UsagePlan', Properties: {} } }, /UsagePlan/],
    ['a property', change('Stage', { ClientCertificateId: 'x' }), /ClientCertificateId/],
    ['a cached authorizer', change('Gate', { AuthorizerResultTtlInSeconds: 300 }), /AuthorizerResultTtlInSeconds/],
    ['another kind of authorizer', change('Gate', { Type: 'TOKEN' }), /Type/],
    ['IAM authorization', change('GetThings', { AuthorizationType: 'AWS_IAM' }), /AuthorizationType/],
    ['API keys', change('GetThings', { ApiKeyRequired: true }), /ApiKeyRequired/],
    [
      'another integration',
      change('GetThings', { Integration: { Type: 'HTTP_PROXY', Uri: 'https://x' } }),
      /Integration/,
    ],
    [
      'a mock that computes',
      change('AnyRoot', {
        Integration: {
          Type: 'MOCK',
          RequestTemplates: { 'application/json': '{"statusCode": $x}' },
          IntegrationResponses: [],
        },
      }),
      /constant/,
    ],
    [
      'VTL in a gateway response',
      change('Denied', { ResponseTemplates: { 'application/json': '#if(1)x#end' } }),
      /Denied|ACCESS_DENIED/,
    ],
    [
      'a variable',
      change('Denied', { ResponseTemplates: { 'application/json': '$context.identity.user' } }),
      /identity\.user/,
    ],
    [
      'a domain without mutual TLS',
      change('Domain', { MutualTlsAuthentication: undefined }),
      /MutualTlsAuthentication/,
    ],
    ['an intrinsic function', change('GetThings', { HttpMethod: { 'Fn::Select': [0, ['GET']] } }), /Fn::Select/],
    ['an authorizer of elsewhere', change('GetThings', { AuthorizerId: 'other' }), /authorizer/],
    ['a function that API Gateway may not call', { ThingMay: undefined }, /Permission/],
  ])('%s', (_, changes, message) => {
    expect(() => build(changes)).toThrow(message);
  });

  it('an API that no domain serves is named', () => {
    const other = { Other: { Type: 'AWS::ApiGateway::RestApi', Properties: { Name: 'other' } } };
    expect(build(other).unserved).toEqual(['Other']);
  });
});

describe("an authorizer's policy", () => {
  const arn = 'arn:aws:execute-api:eu-west-1:000000000000:api-1/live/GET/things/x';
  const policy = (...statements: [string, string][]) => ({
    principalId: 'p',
    policyDocument: {
      Version: '2012-10-17' as const,
      Statement: statements.map(([effect, resource]) => ({
        Effect: effect === 'Allow' ? ('Allow' as const) : ('Deny' as const),
        Action: ['execute-api:Invoke'],
        Resource: [resource],
      })),
    },
    context: {},
  });

  it('allows by wildcard, denies what it does not name, and a denial wins', () => {
    const all = 'arn:aws:execute-api:eu-west-1:000000000000:api-1/live/*';
    expect(evaluate(policy(['Allow', all]), arn)).toBe('allow');
    expect(evaluate(policy(['Allow', all.replace('live', 'test')]), arn)).toBe('deny');
    expect(evaluate(policy(['Allow', all], ['Deny', arn]), arn)).toBe('explicit deny');
    expect(evaluate(policy(), arn)).toBe('deny');
    expect(matches('a?c*', 'abc/d')).toBe(true);
    expect(matches('a.c', 'abc')).toBe(false);
  });
});
