/** Calls a deployed function through the emulator, with API Gateway's limits on time and size. */
import { Agent, request as httpRequest } from 'node:http';

export type Invoked =
  | { readonly outcome: 'answer'; readonly payload: unknown }
  | { readonly outcome: 'error'; readonly errorType: string; readonly errorMessage: string }
  | { readonly outcome: 'timeout' | 'throttled' | 'too large' | 'unreachable' };

export type Invoke = (functionArn: string, event: unknown, timeoutMs: number) => Promise<Invoked>;

/** A synchronous call carries at most 6 MB each way. */
const mostBytes = 6 * 1024 * 1024;

/** A caller for the functions at an emulator; `close` ends its kept-alive connections. */
export const lambdaInvoker = (endpoint: string, region: string): { invoke: Invoke; close: () => void } => {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const { hostname, port } = new URL(endpoint);
  // The emulator checks no signature; it reads the region from it.
  const authorization = `AWS4-HMAC-SHA256 Credential=test/20260101/${region}/lambda/aws4_request, SignedHeaders=host, Signature=0`;

  const invoke: Invoke = (functionArn, event, timeoutMs) =>
    new Promise((resolve) => {
      const body = Buffer.from(JSON.stringify(event));
      if (body.length > mostBytes) return resolve({ outcome: 'too large' });
      const request = httpRequest({
        agent,
        host: hostname,
        port,
        method: 'POST',
        path: `/2015-03-31/functions/${encodeURIComponent(functionArn)}/invocations`,
        headers: { authorization, 'content-type': 'application/json', 'content-length': body.length },
      });
      const timer = setTimeout(() => {
        resolve({ outcome: 'timeout' });
        request.destroy();
      }, timeoutMs);
      const finish = (result: Invoked) => {
        clearTimeout(timer);
        resolve(result);
      };
      request.on('error', () => finish({ outcome: 'unreachable' }));
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => finish({ outcome: 'unreachable' }));
        response.on('end', () =>
          finish(
            read(
              response.statusCode ?? 0,
              response.headers['x-amz-function-error'] !== undefined,
              Buffer.concat(chunks),
            ),
          ),
        );
      });
      request.end(body);
    });
  return { invoke, close: () => agent.destroy() };
};

const read = (status: number, failed: boolean, body: Buffer): Invoked => {
  if (status === 429) return { outcome: 'throttled' };
  if (status !== 200) return { outcome: 'unreachable' };
  if (body.length > mostBytes)
    return { outcome: 'error', errorType: 'Function.ResponseSizeTooLarge', errorMessage: 'response over 6 MB' };
  let payload: unknown;
  try {
    payload = body.length > 0 ? JSON.parse(body.toString('utf8')) : null;
  } catch {
    return { outcome: 'error', errorType: 'Runtime.MarshalError', errorMessage: 'the answer is no JSON' };
  }
  if (!failed) return { outcome: 'answer', payload };
  const error = typeof payload === 'object' && payload !== null ? payload : {};
  return {
    outcome: 'error',
    errorType: 'errorType' in error ? String(error.errorType) : 'Unhandled',
    errorMessage: 'errorMessage' in error ? String(error.errorMessage) : '',
  };
};
