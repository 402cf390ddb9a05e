/** A scripted DynamoDB on a loopback port for the gate's tests: answers each request as the test says and keeps what was asked. */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Answers one request; the whole body has been read. */
export type Step = (response: ServerResponse, asked: Asked) => void;

export interface Scripted {
  readonly endpoint: URL;
  readonly asked: Asked[];
  readonly connections: () => number;
  /** The steps of the next requests, one each; the last one stays. */
  readonly script: (...steps: Step[]) => void;
  readonly stop: () => Promise<void>;
}

export const json =
  (status: number, value: unknown): Step =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(typeof value === 'string' ? value : JSON.stringify(value));
  };

export const startDynamodb = async (): Promise<Scripted> => {
  const asked: Asked[] = [];
  let steps: Step[] = [];
  let connections = 0;
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      const question: Asked = { method, url, headers, body: Buffer.concat(chunks).toString() };
      asked.push(question);
      const step = steps.length > 1 ? steps.shift() : steps[0];
      step?.(response, question);
    });
  });
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    asked,
    connections: () => connections,
    script: (...next) => {
      steps = next;
      asked.length = 0;
      connections = 0;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
