/** Errors as RFC 9457 problem documents: where a domain error becomes an HTTP answer. */
import type { APIGatewayProxyResult } from 'aws-lambda';
import { errorKinds, InvalidInput } from '../errors.ts';

/** Seconds after which a refused-for-now request may be repeated. */
const retryAfter = '2';

const throttled = new Set([
  'InternalServerError',
  'KMSInternalException',
  'LimitExceededException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ServiceUnavailable',
  'ThrottlingException',
  'TimeoutError',
  'TooManyRequestsException',
  'TransactionInProgressException',
]);
const unreachable = new Set(['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT']);
const busyCancellations = new Set(['ThrottlingError', 'ProvisionedThroughputExceeded', 'TransactionConflict']);

/** Whether AWS, not the request, is why it failed: throttled, timed out, unreachable, an error of its own. */
export const isPassing = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  if (throttled.has(error.name)) return true;
  if ('code' in error && typeof error.code === 'string' && unreachable.has(error.code)) return true;
  if ('CancellationReasons' in error && Array.isArray(error.CancellationReasons)) {
    const codes = error.CancellationReasons.map((reason: { Code?: unknown } | null) => String(reason?.Code ?? 'None'));
    return codes.some((code) => busyCancellations.has(code)) && !codes.includes('ConditionalCheckFailed');
  }
  if ('$metadata' in error && typeof error.$metadata === 'object' && error.$metadata !== null) {
    const status = 'httpStatusCode' in error.$metadata ? error.$metadata.httpStatusCode : undefined;
    return typeof status === 'number' && status >= 500;
  }
  return false;
};

const document = (status: number, title: string, detail?: string, field?: string): APIGatewayProxyResult => ({
  statusCode: status,
  headers: {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...(status === 503 ? { 'retry-after': retryAfter } : {}),
  },
  body: JSON.stringify({ type: 'about:blank', title, status, detail, field }),
});

/** The answer to a request that failed; null for what is a defect, which its caller logs and answers with `defect`. */
export const problemOf = (error: unknown): APIGatewayProxyResult | null => {
  for (const { kind, status, title } of errorKinds) {
    if (!(error instanceof kind)) continue;
    if (!(error instanceof InvalidInput)) return document(status, title, error.message, error.field);
    const detail = error.message.startsWith(error.field) ? error.message : `${error.field}: ${error.message}`;
    return document(status, title, detail, error.field);
  }
  if (isPassing(error)) return document(503, 'Service Unavailable', 'a service underneath is busy; try again');
  return null;
};

/** A defect tells its caller nothing. */
export const defect = (): APIGatewayProxyResult => document(500, 'Internal Server Error');
