/** One request through the gateway: route, throttle, authorizer, integration; every way out is an answer of API Gateway. */
import { z } from 'zod';
import { type Answer, answerOf, type Kind, type Variables } from './answers.ts';
import { type Events, eventsOf, type Request } from './event.ts';
import type { Invoke } from './invoke.ts';
import type { Api, Method, Model } from './model.ts';
import { type AuthorizerAnswer, authorizerAnswer, evaluate } from './policy.ts';
import { findRoute } from './routes.ts';
import { tokenBucket } from './throttle.ts';

/** Of a REST API: a request's body, in bytes. */
export const mostBodyBytes = 10 * 1024 * 1024;
/** What an authorizer may answer, in bytes. */
const mostAuthorizerBytes = 8 * 1024;
/** How long an authorizer may take at most, whatever its function's own timeout. */
const authorizerTimeoutMs = 29_000;

const proxyAnswer = z.object({
  statusCode: z.coerce.number().int().min(100).max(599),
  headers: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).nullish(),
  multiValueHeaders: z.record(z.string(), z.array(z.union([z.string(), z.number(), z.boolean()]))).nullish(),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().nullish(),
});

export type Handle = (request: Request) => Promise<Answer>;

/** @param port where the gateway listens, for X-Forwarded-Port. @param report told what the caller is not told. */
export const requestHandler = (model: Model, invoke: Invoke, port: number, report: (line: string) => void): Handle => {
  const where = { region: model.region, account: model.account, domain: model.domain, port };
  const buckets = new Map(model.apis.map((api) => [api.id, api.throttle && tokenBucket(api.throttle)]));

  return async (request) => {
    const found = apiFor(model, request.path);
    const variables = (api: Api | undefined, authorizer: Readonly<Record<string, unknown>> = {}): Variables => ({
      requestId: request.id,
      authorizer,
      httpMethod: request.httpMethod,
      path: request.path,
      stage: api?.stage ?? '',
    });
    if (!found) return answerOf('MISSING_AUTHENTICATION_TOKEN', new Map(), variables(undefined));
    const { api, innerPath } = found;
    const refuse = (kind: Kind, context: Readonly<Record<string, unknown>> = {}, message?: string): Answer =>
      answerOf(kind, api.gatewayResponses, variables(api, context), message);

    const route = findRoute(api.root, request.httpMethod, innerPath);
    if (!route?.method) return refuse('MISSING_AUTHENTICATION_TOKEN');
    if (request.body.length > mostBodyBytes) return refuse('REQUEST_TOO_LARGE');
    if (buckets.get(api.id)?.(request.receivedAt) === false) return refuse('THROTTLED');
    const { method, pathParameters } = route;
    const events = eventsOf(request, api, method, pathParameters, innerPath, where);

    let context: Readonly<Record<string, unknown>> | undefined;
    if (method.authorizer) {
      const verdict = await authorize(method.authorizer.functionArn, events, invoke);
      if ('kind' in verdict) {
        if (verdict.kind !== 'ACCESS_DENIED') report(`${request.id} authorizer: ${verdict.why}`);
        return refuse(verdict.kind, verdict.context, verdict.message);
      }
      context = verdict.context;
    }
    return integrate(method, events, context, invoke, refuse, (line) => report(`${request.id} ${line}`));
  };
};

/** The API whose base path the path begins with, else the one at the domain's root. */
const apiFor = (model: Model, path: string): { api: Api; innerPath: string } | undefined => {
  const [, first = ''] = path.split('/');
  const based = model.apis.find((api) => api.basePath === first && first !== '');
  if (based) return { api: based, innerPath: path.slice(first.length + 1) || '/' };
  const api = model.apis.find(({ basePath }) => basePath === undefined);
  return api && { api, innerPath: path };
};

interface Refusal {
  readonly kind: Kind;
  readonly context: Readonly<Record<string, unknown>>;
  readonly why: string;
  readonly message?: string;
}

const authorize = async (
  functionArn: string,
  events: Events,
  invoke: Invoke,
): Promise<Refusal | { readonly context: Readonly<Record<string, unknown>> }> => {
  const none = { context: {} };
  const result = await invoke(functionArn, events.authorizer(), authorizerTimeoutMs);
  if (result.outcome === 'error') {
    const kind = result.errorMessage === 'Unauthorized' ? 'UNAUTHORIZED' : 'AUTHORIZER_FAILURE';
    return { kind, ...none, why: `${result.errorType}: ${result.errorMessage}` };
  }
  if (result.outcome === 'throttled') return { kind: 'AUTHORIZER_CONFIGURATION_ERROR', ...none, why: 'throttled' };
  if (result.outcome !== 'answer') return { kind: 'AUTHORIZER_FAILURE', ...none, why: result.outcome };
  const parsed = authorizerAnswer.safeParse(result.payload);
  if (!parsed.success || JSON.stringify(result.payload).length > mostAuthorizerBytes) {
    return {
      kind: 'AUTHORIZER_CONFIGURATION_ERROR',
      ...none,
      why: parsed.error ? z.prettifyError(parsed.error) : 'answer too large',
    };
  }
  const verdict = evaluate(parsed.data, events.methodArn);
  const context = contextOf(parsed.data);
  if (verdict === 'allow') return { context };
  const explicit = 'User is not authorized to access this resource with an explicit deny';
  return {
    kind: 'ACCESS_DENIED',
    context,
    why: verdict,
    ...(verdict === 'explicit deny' ? { message: explicit } : {}),
  };
};

/** Everything in it arrives as text, beside the principal. */
const contextOf = (answer: AuthorizerAnswer): Record<string, unknown> => ({
  principalId: answer.principalId,
  integrationLatency: 0,
  ...Object.fromEntries(
    Object.entries(answer.context).map(([name, value]) => [name, value === null ? null : String(value)]),
  ),
});

const integrate = async (
  { integration }: Method,
  events: Events,
  context: Readonly<Record<string, unknown>> | undefined,
  invoke: Invoke,
  refuse: (kind: Kind, context?: Readonly<Record<string, unknown>>) => Answer,
  report: (line: string) => void,
): Promise<Answer> => {
  if (integration.type === 'mock') return integration.answer;
  const result = await invoke(integration.functionArn, events.proxy(context), integration.timeoutMs);
  const bad = (kind: Kind, why: string): Answer => {
    report(`${integration.functionArn}: ${why}`);
    return refuse(kind, context);
  };
  if (result.outcome === 'timeout') return bad('INTEGRATION_TIMEOUT', 'timeout');
  if (result.outcome === 'too large') return refuse('REQUEST_TOO_LARGE', context);
  if (result.outcome === 'error') return bad('BAD_INTEGRATION_ANSWER', `${result.errorType}: ${result.errorMessage}`);
  if (result.outcome !== 'answer') return bad('INTERNAL', result.outcome);
  const parsed = proxyAnswer.safeParse(result.payload);
  if (!parsed.success) return bad('BAD_INTEGRATION_ANSWER', `malformed proxy answer: ${z.prettifyError(parsed.error)}`);
  const { statusCode, headers, multiValueHeaders, body, isBase64Encoded } = parsed.data;
  const all: Record<string, string | string[]> = { 'Content-Type': 'application/json' };
  const put = (name: string, value: string | string[]) => {
    const same = Object.keys(all).find((other) => other.toLowerCase() === name.toLowerCase());
    if (same) delete all[same];
    all[name] = value;
  };
  for (const [name, value] of Object.entries(headers ?? {})) put(name, String(value));
  for (const [name, values] of Object.entries(multiValueHeaders ?? {})) put(name, values.map(String));
  return {
    status: statusCode,
    headers: { ...all, 'x-amzn-RequestId': events.requestId },
    body: Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8'),
  };
};
