/** What a deployment may be told on the command line (`cdk deploy -c key=value`), checked before anything is made of it. */
import type { Node } from 'constructs';
import { type Deployment, environmentWord, internalFunctions, nameWord } from '../src/names.ts';
import { nearMiss } from './near-miss.ts';

export interface Config extends Deployment {
  /** The host name of the API behind mutual TLS. */
  readonly domain: string;
  /** Holds `domain`: its alias record and, without `certificateArn`, the validation of the certificate go there. */
  readonly hostedZoneId?: string;
  /** A public ACM certificate for `domain` in the stack's region. */
  readonly certificateArn?: string;
  /** Concurrency kept for the gate alone. A new account's quota allows none, so there is no default. */
  readonly authorizerReservedConcurrency?: number;
}

const keys = [
  'name',
  'environment',
  'domain',
  'hostedZoneId',
  'certificateArn',
  'authorizerReservedConcurrency',
] as const satisfies readonly (keyof Config)[];

/** A context value that a deployment cannot be made of. The message names the key to change. */
export class WrongContext extends Error {
  override readonly name = 'WrongContext';
}

/** What a function's name of at most 64 characters, `{name}-{environment}-{function}`, leaves to the two words. */
export const longestWords = 64 - '--'.length - Math.max(...internalFunctions.map(({ length }) => length));

/** A host name of at least two labels, in lower case. */
export const domainName = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/;
const hostedZone = /^Z[A-Z0-9]{1,31}$/;
const certificate = /^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[A-Za-z0-9-]+$/;

/** Reads the context. @throws WrongContext */
export function readConfig(node: Node): Config {
  const context: Readonly<Record<string, unknown>> = node.getAllContext();
  for (const given of Object.keys(context)) {
    if (keys.some((key) => key === given)) continue;
    const meant = nearMiss(given, keys);
    if (meant !== undefined) throw refusal(given, `is not known; is ${meant} meant?`);
  }
  const text = (key: string): string | undefined => {
    const value: unknown = node.tryGetContext(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || value === '') throw refusal(key, 'must be a text that is not empty');
    return value;
  };
  const matching = (key: string, shape: RegExp, what: string): string | undefined => {
    const value = text(key);
    if (value !== undefined && !shape.test(value)) throw refusal(key, `must be ${what}, not '${value}'`);
    return value;
  };
  const word = (of: string): string => `a lower-case word of at most 31 ${of} that begins with a letter`;

  const name = matching('name', nameWord, word('letters, digits and hyphens')) ?? 'everleaf';
  const environment = matching('environment', environmentWord, word('letters and digits, without hyphens,')) ?? 'dev';
  if (name.length + environment.length > longestWords)
    throw refusal('name', `and environment may have ${longestWords} characters together`);
  const domain = matching('domain', domainName, 'a lower-case domain name');
  if (domain === undefined)
    throw refusal('domain', 'is needed: the host name of the API, such as airunner.example.com');
  const hostedZoneId = matching('hostedZoneId', hostedZone, 'the id of a Route 53 hosted zone');
  const certificateArn = matching('certificateArn', certificate, 'the ARN of an ACM certificate');
  if (hostedZoneId === undefined && certificateArn === undefined)
    throw refusal(
      'certificateArn',
      'or hostedZoneId is needed: API Gateway serves the domain with a public ACM certificate',
    );

  const concurrency = text('authorizerReservedConcurrency');
  if (concurrency !== undefined && !/^[1-9]\d{0,4}$/.test(concurrency))
    throw refusal('authorizerReservedConcurrency', `must be a whole number above 0, not '${concurrency}'`);

  return {
    name,
    environment,
    domain,
    ...(hostedZoneId === undefined ? {} : { hostedZoneId }),
    ...(certificateArn === undefined ? {} : { certificateArn }),
    ...(concurrency === undefined ? {} : { authorizerReservedConcurrency: Number(concurrency) }),
  };
}

const refusal = (key: string, why: string): WrongContext => new WrongContext(`context value ${key} ${why}`);
