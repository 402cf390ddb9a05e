/** What API Gateway answers by itself: its defaults, changed by the template's gateway responses. */
import type { Properties } from './schema.ts';
import { UnknownConstruct } from './template.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Buffer;
}

/** The kinds of answer that this gateway gives, with API Gateway's default status and message. */
const defaults = {
  ACCESS_DENIED: [403, 'User is not authorized to access this resource'],
  AUTHORIZER_CONFIGURATION_ERROR: [500, null],
  AUTHORIZER_FAILURE: [500, null],
  UNAUTHORIZED: [401, 'Unauthorized'],
  MISSING_AUTHENTICATION_TOKEN: [403, 'Missing Authentication Token'],
  REQUEST_TOO_LARGE: [413, 'Request Too Long'],
  THROTTLED: [429, 'Too Many Requests'],
  INTEGRATION_TIMEOUT: [504, 'Endpoint request timed out'],
  // An answer of the function that is none: API Gateway has no name of its own for it.
  BAD_INTEGRATION_ANSWER: [502, 'Internal server error'],
  INTERNAL: [500, 'Internal server error'],
} as const;

export type Kind = keyof typeof defaults;

/** Which words may stand in a gateway response's template. */
export interface Variables {
  readonly requestId: string;
  readonly authorizer: Readonly<Record<string, unknown>>;
  readonly httpMethod: string;
  readonly path: string;
  readonly stage: string;
}

export interface ResponseTemplate {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const variable = /\$context\.([A-Za-z0-9_.]+)/g;
const known =
  /^(requestId|httpMethod|path|stage|authorizer\.[A-Za-z0-9_]+|error\.(message|messageString|responseType))$/;

/** @throws UnknownConstruct for a template that is more than text with `$context` words. */
export const parseResponseTemplate = (given: Properties<'AWS::ApiGateway::GatewayResponse'>): ResponseTemplate => {
  const where = `gateway response ${given.ResponseType}`;
  const types = Object.keys(given.ResponseTemplates ?? {});
  if (types.some((type) => type !== 'application/json'))
    throw new UnknownConstruct(`${where}: ${types.join()} templates`);
  const body = given.ResponseTemplates?.['application/json'];
  for (const [, name] of body?.matchAll(variable) ?? []) {
    if (!known.test(name ?? '')) throw new UnknownConstruct(`${where}: $context.${name}`);
  }
  if (body && /\$(?!context\.)|#/.test(body)) throw new UnknownConstruct(`${where}: template ${body}`);
  const headers: Record<string, string> = {};
  for (const [target, source] of Object.entries(given.ResponseParameters ?? {})) {
    const name = /^gatewayresponse\.header\.(.+)$/.exec(target)?.[1];
    const value = /^'(.*)'$/.exec(source)?.[1];
    if (!name || value === undefined) throw new UnknownConstruct(`${where}: parameter ${target}: ${source}`);
    headers[name] = value;
  }
  return { status: given.StatusCode === undefined ? undefined : Number(given.StatusCode), headers, body };
};

const lookUp = (name: string, variables: Variables, kind: Kind, message: string | null): string => {
  const [first, second = ''] = name.split('.');
  if (first === 'authorizer') return String(variables.authorizer[second] ?? '');
  if (name === 'error.message') return String(message);
  if (name === 'error.messageString') return JSON.stringify(message);
  if (name === 'error.responseType') return kind;
  if (name === 'requestId' || name === 'httpMethod' || name === 'path' || name === 'stage') return variables[name];
  return '';
};

/** The answer of a kind: words of `$context` are put in as they are, without escaping, as API Gateway does. */
export const answerOf = (
  kind: Kind,
  responses: ReadonlyMap<string, ResponseTemplate>,
  variables: Variables,
  message: string | null = defaults[kind][1],
): Answer => {
  const [status] = defaults[kind];
  const fallback = responses.get(status < 500 ? 'DEFAULT_4XX' : 'DEFAULT_5XX');
  const template = responses.get(kind) ?? fallback;
  return {
    status: template?.status ?? status,
    headers: { 'Content-Type': 'application/json', 'x-amzn-RequestId': variables.requestId, ...template?.headers },
    body: (template?.body ?? '{"message":$context.error.messageString}').replace(variable, (_, name: string) =>
      lookUp(name, variables, kind, message),
    ),
  };
};
