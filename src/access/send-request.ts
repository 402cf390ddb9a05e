/** One signed request to DynamoDB over a kept-alive connection, with a time limit and a bounded answer. No SDK: loading it costs more than everything else the gate does. */
import { type Credentials, requestSigner } from './sign-request.ts';

/** Status and text of the answer. Rejects where none came whole within `timeout` ms. `fresh`: on a connection of its own. */
export type Send = (body: string, timeout: number, fresh: boolean) => Promise<{ status: number; text: string }>;

export interface Destination {
  readonly credentials: Credentials;
  readonly region: string;
  readonly endpoint: URL;
  /** What DynamoDB is asked to do, such as `BatchGetItem`. */
  readonly operation: string;
}

/** Three items of 400 KB, every byte of them escaped in JSON, fit; bytes. */
const longestAnswer = 8 * 1_024 * 1_024;

const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/** @throws Error for an endpoint that is neither https nor on this machine: what the gate reads must not be forged on the way. */
export const sender = ({ credentials, region, endpoint, operation }: Destination): Send => {
  const secure = endpoint.protocol === 'https:';
  if (!secure && !(endpoint.protocol === 'http:' && loopback.test(endpoint.hostname)))
    throw new Error('the DynamoDB endpoint must be https, or http on a loopback address');
  // Loading TLS is a good part of the start, so the one transport that is used is loaded, and no other.
  const { Agent, request: open } = process.getBuiltinModule(secure ? 'node:https' : 'node:http');
  const agent = new Agent({ keepAlive: true });
  const sign = requestSigner({ credentials, region, service: 'dynamodb', host: endpoint.host });
  const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}` };

  return (body, timeout, fresh) =>
    new Promise((resolve, reject) => {
      const request = open(endpoint, {
        method: 'POST',
        path: '/',
        agent: fresh ? false : agent,
        headers: { ...sign(headers, body, Date.now()), 'content-length': Buffer.byteLength(body) },
      });
      const fail = (error: Error): void => {
        clearTimeout(timer);
        request.destroy();
        reject(error);
      };
      const timer = setTimeout(() => fail(new Error('no answer in time')), timeout);
      request.on('error', fail);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('error', fail);
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > longestAnswer) fail(new Error('answer too long'));
          else chunks.push(chunk);
        });
        response.on('end', () => {
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
        });
      });
      request.end(body);
    });
};
