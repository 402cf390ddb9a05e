/** Fails the synthesis of an API that has a way around the gate: nobody can add an open method without hearing of it. */
import { CfnOutput, CfnParameter, CfnResource, Stack } from 'aws-cdk-lib';
import { type CfnAuthorizer, CfnRestApi, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import { z } from 'zod';

const resource = z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).default({}) });
const rendered = z.object({ Resources: z.record(z.string(), resource) });

/** What CloudFormation is given for a resource, overrides included. */
const render = (of: CfnResource): z.infer<typeof resource> => {
  const resolved: unknown = Stack.of(of).resolve(of._toCloudFormation());
  return Object.values(rendered.parse(resolved).Resources)[0] ?? { Type: of.cfnResourceType, Properties: {} };
};

/**
 * Everything in the whole app that would let a call reach `api` without being asked by `gate`, which asks the function
 * behind `uri`; in words. Looks at what will be deployed, whatever made it and wherever in the tree it stands.
 */
export function waysAroundTheGate(api: RestApi, gate: CfnAuthorizer, uri: string): string[] {
  const own = api.node.defaultChild;
  if (!(own instanceof CfnRestApi)) return [`${api.node.path}: is not an API that can be looked into`];
  const found: string[] = [];

  const { DisableExecuteApiEndpoint, Body, BodyS3Location } = render(own).Properties;
  if (DisableExecuteApiEndpoint !== true)
    found.push(`${api.node.path}: its default endpoint is open; set disableExecuteApiEndpoint`);
  if (Body !== undefined || BodyS3Location !== undefined)
    found.push(`${api.node.path}: its methods stand in an imported document, where they cannot be checked`);
  const { Type, AuthorizerUri, AuthorizerResultTtlInSeconds } = render(gate).Properties;
  if (Type !== 'REQUEST' || !same(AuthorizerUri, Stack.of(gate).resolve(uri)))
    found.push(`${gate.node.path}: does not ask the gate's function`);
  if (AuthorizerResultTtlInSeconds !== 0)
    found.push(`${gate.node.path}: its results are cached; a suspended caller would still be let in`);

  for (const method of api.node.root.node.findAll()) {
    if (!CfnResource.isCfnResource(method)) continue;
    const { Type, Properties } = render(method);
    if (Type !== 'AWS::ApiGateway::Method') continue;
    const { HttpMethod, RestApiId, AuthorizationType, AuthorizerId } = Properties;
    const named = `${method.node.path} (${String(HttpMethod)})`;
    const served = targetOf(Stack.of(method), RestApiId);
    if (!(served instanceof CfnRestApi))
      found.push(`${named}: whether it is a method of ${api.node.path} cannot be told; name the API by reference`);
    else if (served !== own) continue;
    else if (AuthorizationType !== 'CUSTOM' || AuthorizerId === undefined) found.push(`${named}: has no authorizer`);
    else if (targetOf(Stack.of(method), AuthorizerId) !== gate)
      found.push(`${named}: has another authorizer than the gate`);
  }
  return found;
}

const reference = z.union([
  z.strictObject({ Ref: z.string() }),
  z.strictObject({ 'Fn::ImportValue': z.string() }).transform((by) => ({ exportName: by['Fn::ImportValue'] })),
]);

/** What the rendered `value` refers to, by a Ref, another stack's export or a nested stack's parameter; else undefined. */
function targetOf(stack: Stack, value: unknown): unknown {
  const by = reference.safeParse(value).data;
  if (by === undefined) return undefined;
  if ('exportName' in by) {
    const isExport = (element: unknown): element is CfnOutput =>
      element instanceof CfnOutput && Stack.of(element).resolve(element.exportName) === by.exportName;
    const output = stack.node.root.node.findAll().find(isExport);
    return output && targetOf(Stack.of(output), Stack.of(output).resolve(output.value));
  }
  const target = stack.node
    .findAll()
    .find(
      (element) =>
        CfnResource.isCfnElement(element) &&
        same(stack.resolve(element.logicalId), by.Ref) &&
        Stack.of(element) === stack,
    );
  if (!(target instanceof CfnParameter) || stack.nestedStackParent === undefined) return target;
  const nested = stack.nestedStackResource;
  if (!CfnResource.isCfnResource(nested)) return undefined;
  const given = z.record(z.string(), z.unknown()).safeParse(render(nested).Properties.Parameters).data;
  return targetOf(stack.nestedStackParent, given?.[by.Ref]);
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
