/** Another stack's API behind the gate: it works without cyclic references, and every way around it fails the synthesis. */
import { type App, CfnResource, NestedStack, Stack } from 'aws-cdk-lib';
import {
  AuthorizationType,
  CfnAuthorizer,
  CfnMethod,
  type IAuthorizer,
  MockIntegration,
  RestApi,
  type RestApiProps,
} from 'aws-cdk-lib/aws-apigateway';
import { describe, expect, test } from 'vitest';
import { EverleafStack } from '../../lib/stack.ts';
import { config, named, newApp, ofType, templateOf } from './synth.ts';

const other = (build: (api: RestApi, authorizer: IAuthorizer, app: App) => void, props: RestApiProps = {}) => {
  const app = newApp();
  const identity = new EverleafStack(app, 'Everleaf', config).identity;
  const stack = new Stack(app, 'Jobs');
  const api = new RestApi(stack, 'Api', { disableExecuteApiEndpoint: true, cloudWatchRole: false, ...props });
  build(api, identity.protect(api, { basePath: 'jobs' }), app);
  return { app, stack, synth: () => templateOf(app, stack) };
};

const guarded = (api: RestApi, authorizer: IAuthorizer) => {
  api.root.addMethod('GET', new MockIntegration(), { authorizer });
};

describe('an API whose methods all ask the gate', () => {
  const { synth, stack } = other(guarded);
  const template = synth();

  test('is served by the same domain under its own path', () => {
    expect(named(template, 'AWS::ApiGateway::BasePathMapping', '')[1].Properties).toMatchObject({ BasePath: 'jobs' });
  });

  test('has the gate’s authorizer without cache, its answers, and the right to ask it from there alone', () => {
    const [authorizer, { Properties }] = named(template, 'AWS::ApiGateway::Authorizer', '');
    expect(Properties.AuthorizerResultTtlInSeconds).toBe(0);
    expect(ofType(template, 'AWS::ApiGateway::GatewayResponse')).toHaveLength(6);
    const [, permission] = named(template, 'AWS::Lambda::Permission', '');
    expect(JSON.stringify(permission.Properties.SourceArn)).toContain(authorizer);
  });

  test('needs the identity’s stack and is not needed by it', () => {
    expect(stack.dependencies.map(({ stackName }) => stackName)).toEqual(['airunner-prod']);
  });
});

test('another API may be open, and methods of this one may stand in other stacks', () => {
  const { synth } = other((api, authorizer, app) => {
    const nested = new NestedStack(Stack.of(api), 'Nested');
    const of = { restApiId: api.restApiId, resourceId: api.restApiRootResourceId };
    new CfnMethod(nested, 'Guarded', { ...of, httpMethod: 'PUT', ...authorizer });
    new CfnMethod(new Stack(app, 'Later'), 'Guarded', { ...of, httpMethod: 'POST', ...authorizer });
    guarded(api, authorizer);
    new RestApi(new Stack(app, 'Public'), 'Open', { cloudWatchRole: false }).root.addMethod('GET');
  });
  expect(synth).not.toThrow();
});

describe('synthesis fails', () => {
  const open = /Api.*GET.*: has no authorizer/;

  test('when a method has no authorizer', () => {
    expect(other((api) => void api.root.addMethod('GET')).synth).toThrow(open);
  });

  test('when a method without one is added later, anywhere in the app', () => {
    const { app, synth, stack } = other(guarded);
    const api = stack.node.findChild('Api');
    if (!(api instanceof RestApi)) throw new Error('no API');
    new CfnMethod(new Stack(app, 'Later'), 'Open', {
      restApiId: api.restApiId,
      resourceId: api.restApiRootResourceId,
      httpMethod: 'PUT',
      authorizationType: AuthorizationType.NONE,
    });
    expect(synth).toThrow(/Later\/Open \(PUT\): has no authorizer/);
  });

  test('when a preflight answers without one', () => {
    const cors = { defaultCorsPreflightOptions: { allowOrigins: ['https://example.com'] } };
    expect(other(guarded, cors).synth).toThrow(/OPTIONS\): has no authorizer/);
  });

  test('when an override takes the authorizer away', () => {
    const { synth } = other((api, authorizer) => {
      const method = api.root.addMethod('GET', new MockIntegration(), { authorizer }).node.defaultChild;
      if (method instanceof CfnMethod) method.addPropertyOverride('AuthorizationType', 'NONE');
    });
    expect(synth).toThrow(open);
  });

  test('when a method has another authorizer', () => {
    const { synth } = other((api) => {
      const mine = new CfnAuthorizer(api, 'Mine', { name: 'mine', restApiId: api.restApiId, type: 'REQUEST' });
      const authorizer = { authorizerId: mine.ref, authorizationType: AuthorizationType.CUSTOM };
      api.root.addMethod('GET', new MockIntegration(), { authorizer });
    });
    expect(synth).toThrow(/has another authorizer than the gate/);
  });

  describe('when a method without one is the API’s, however it says so:', () => {
    const asApi = (restApiId: string) => ({ restApiId, resourceId: 'r', httpMethod: 'PUT', authorizationType: 'NONE' });
    const ways: Record<string, (api: RestApi, stack: Stack, later: Stack) => unknown> = {
      'by a resource without a class': (api, stack) => {
        const [RestApiId, ResourceId] = [api.restApiId, api.restApiRootResourceId];
        const properties = { RestApiId, ResourceId, HttpMethod: 'PUT', AuthorizationType: 'NONE' };
        return new CfnResource(stack, 'Open', { type: 'AWS::ApiGateway::Method', properties });
      },
      'by a resource that was of another type': (api, stack) =>
        new CfnResource(stack, 'Open', {
          type: 'AWS::SNS::Topic',
          properties: { RestApiId: api.restApiId, HttpMethod: 'PUT' },
        }).addOverride('Type', 'AWS::ApiGateway::Method'),
      'by an override': (api, stack) => {
        const another = new RestApi(stack, 'Another', { cloudWatchRole: false });
        new CfnMethod(stack, 'Open', asApi(another.restApiId)).addPropertyOverride(
          'RestApiId',
          stack.resolve(api.restApiId),
        );
      },
      'by an export': (api, stack, later) => new CfnMethod(later, 'Open', asApi(stack.exportValue(api.restApiId))),
      'from a nested stack': (api, stack) =>
        new CfnMethod(new NestedStack(stack, 'Nested'), 'Open', asApi(api.restApiId)),
    };
    test.each(Object.entries(ways))('%s', (_, open) => {
      const { synth } = other((api, authorizer, app) => {
        guarded(api, authorizer);
        open(api, Stack.of(api), new Stack(app, 'Later'));
      });
      expect(synth).toThrow(/Open \(PUT\): has no authorizer/);
    });
  });

  test('when nobody can tell whose a method is', () => {
    const { synth } = other((api, authorizer, app) => {
      guarded(api, authorizer);
      RestApi.fromRestApiAttributes(new Stack(app, 'Later'), 'Imported', {
        restApiId: 'a1b2c3d4e5',
        rootResourceId: 'r',
      }).root.addMethod('GET');
    });
    expect(synth).toThrow(/whether it is a method of Jobs\/Api cannot be told/);
  });

  test.each([
    ['AuthorizerUri', 'arn:aws:apigateway:r:lambda:path/2015-03-31/functions/arn:mine/invocations'],
    ['Type', 'COGNITO_USER_POOLS'],
  ])('when the gate’s %s is overridden', (property, value) => {
    const { synth } = other((api, authorizer) => {
      guarded(api, authorizer);
      const gate = api.node.findChild('Gate');
      if (gate instanceof CfnAuthorizer) gate.addPropertyOverride(property, value);
    });
    expect(synth).toThrow(/Gate: does not ask the gate's function/);
  });

  test('when results are cached', () => {
    const { synth } = other((api, authorizer) => {
      guarded(api, authorizer);
      const gate = api.node.findChild('Gate');
      if (gate instanceof CfnAuthorizer) gate.authorizerResultTtlInSeconds = 300;
    });
    expect(synth).toThrow(/its results are cached/);
  });

  test('when the default endpoint is open', () => {
    expect(other(guarded, { disableExecuteApiEndpoint: false }).synth).toThrow(/its default endpoint is open/);
  });

  test.each(['', 'api', 'whoami', 'a/b', '../x'])('when the path %o is not its own', (basePath) => {
    const app = newApp();
    const { identity } = new EverleafStack(app, 'Everleaf', config);
    const api = new RestApi(new Stack(app, 'Jobs'), 'Api', { disableExecuteApiEndpoint: true });
    expect(() => identity.protect(api, { basePath })).toThrow(/basePath/);
  });
});

test('a changed gateway response makes a new deployment', () => {
  const deployment = (statusCode: string) => {
    const { synth } = other((api, authorizer) => {
      guarded(api, authorizer);
      api.addGatewayResponse('More', { type: { responseType: 'THROTTLED' }, statusCode });
    });
    return named(synth(), 'AWS::ApiGateway::Deployment', '')[0];
  };
  expect(deployment('429')).not.toBe(deployment('503'));
  expect(deployment('429')).toBe(deployment('429'));
});
