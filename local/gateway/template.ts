/** A deployed CloudFormation template: its resources, with references resolved to what the deployment made of them. */
import { z } from 'zod';

const resource = z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).default({}) });

export const template = z.object({ Resources: z.record(z.string(), resource) });
export type Template = z.infer<typeof template>;

/** What a deployment knows that its template does not. */
export interface Deployed {
  readonly region: string;
  readonly account: string;
  /** Physical id by logical id, from DescribeStackResources. */
  readonly physicalIds: Readonly<Record<string, string>>;
}

/** Something in the template that this gateway does not know: never guessed at. */
export class UnknownConstruct extends Error {
  override readonly name = 'UnknownConstruct';
}

const joined = z.tuple([z.string(), z.array(z.unknown())]);
const attribute = z.tuple([z.string(), z.string()]);

/** Resolves intrinsic functions in a value. The value of `Fn::GetAtt` is known only where the gateway needs it. */
export const resolver = (from: Template, deployed: Deployed): ((value: unknown) => unknown) => {
  const pseudo: Record<string, string> = {
    'AWS::Region': deployed.region,
    'AWS::AccountId': deployed.account,
    'AWS::Partition': 'aws',
    'AWS::URLSuffix': 'amazonaws.com',
  };
  const physical = (logicalId: string): string => {
    const id = deployed.physicalIds[logicalId];
    if (id === undefined) throw new UnknownConstruct(`${logicalId} is in the template but was not deployed`);
    return id;
  };
  const attributeOf = (logicalId: string, name: string): string => {
    const type = from.Resources[logicalId]?.Type;
    const id = physical(logicalId);
    if (type === 'AWS::Lambda::Function' && name === 'Arn') {
      return `arn:aws:lambda:${deployed.region}:${deployed.account}:function:${id}`;
    }
    if (type === 'AWS::ApiGateway::RestApi' && name === 'RootResourceId') return `root of ${logicalId}`;
    throw new UnknownConstruct(`Fn::GetAtt ${logicalId}.${name} of ${type} is not known to the gateway`);
  };
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value);
    const [key, argument] = entries[0] ?? [];
    if (entries.length === 1 && key === 'Ref') {
      const name = z.string().parse(argument);
      return pseudo[name] ?? physical(name);
    }
    if (entries.length === 1 && key === 'Fn::GetAtt') return attributeOf(...attribute.parse(argument));
    if (entries.length === 1 && key === 'Fn::Join') {
      const [separator, parts] = joined.parse(argument);
      return z.array(z.string()).parse(parts.map(resolve)).join(separator);
    }
    if (key?.startsWith('Fn::')) throw new UnknownConstruct(`${key} is not known to the gateway`);
    return Object.fromEntries(entries.map(([name, inner]) => [name, resolve(inner)]));
  };
  return resolve;
};
