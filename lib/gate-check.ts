/** Fails the synthesis of an API that has a way around the gate: nobody can add an open method without hearing of it. */
import { Stack, Tokenization } from 'aws-cdk-lib';
import { type CfnAuthorizer, CfnMethod, CfnRestApi, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import type { CfnResource } from 'aws-cdk-lib/core';
import { z } from 'zod';

const rendered = z.object({
  Resources: z.record(z.string(), z.object({ Properties: z.record(z.string(), z.unknown()).default({}) })),
});

/** What CloudFormation is given for a resource, overrides included. */
const propertiesOf = (resource: CfnResource): Record<string, unknown> => {
  const resolved: unknown = Stack.of(resource).resolve(resource._toCloudFormation());
  return Object.values(rendered.parse(resolved).Resources)[0]?.Properties ?? {};
};

/**
 * Everything in the whole app that would let a call reach `api` without being asked by `gate`, in words. Looks at the
 * properties as they will be deployed, wherever in the tree a method stands.
 */
export function waysAroundTheGate(api: RestApi, gate: CfnAuthorizer): string[] {
  const own = api.node.defaultChild;
  if (!(own instanceof CfnRestApi)) return [`${api.node.path}: is not an API that can be looked into`];
  const found: string[] = [];

  const { DisableExecuteApiEndpoint, Body, BodyS3Location } = propertiesOf(own);
  if (DisableExecuteApiEndpoint !== true)
    found.push(`${api.node.path}: its default endpoint is open; set disableExecuteApiEndpoint`);
  if (Body !== undefined || BodyS3Location !== undefined)
    found.push(`${api.node.path}: its methods stand in an imported document, where they cannot be checked`);
  if (propertiesOf(gate).AuthorizerResultTtlInSeconds !== 0)
    found.push(`${gate.node.path}: its results are cached; a suspended caller would still be let in`);

  for (const method of api.node.root.node.findAll()) {
    if (!(method instanceof CfnMethod) || !pointsTo(method, method.restApiId, own)) continue;
    const { HttpMethod, AuthorizationType, AuthorizerId } = propertiesOf(method);
    const named = `${method.node.path} (${String(HttpMethod)})`;
    if (AuthorizationType !== 'CUSTOM' || AuthorizerId === undefined) found.push(`${named}: has no authorizer`);
    else if (!pointsTo(method, method.authorizerId ?? '', gate) || overridden(method, AuthorizerId))
      found.push(`${named}: has another authorizer than the gate`);
  }
  return found;
}

/** True when `value`, as written in `scope`'s stack, is the Ref of `target`, which may stand in another stack. */
const pointsTo = (scope: CfnResource, value: unknown, target: CfnResource): boolean => {
  if (typeof value !== 'string') return false;
  const stack = Stack.of(scope);
  if (stack === Stack.of(target) && same(stack.resolve(value), stack.resolve(target.ref))) return true;
  return Tokenization.reverseString(value).tokens.some((token) => 'target' in token && token.target === target);
};

const overridden = (method: CfnMethod, authorizerId: unknown): boolean =>
  !same(Stack.of(method).resolve(method.authorizerId), authorizerId);

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
