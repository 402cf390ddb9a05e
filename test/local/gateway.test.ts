import { Agent, request as httpsRequest } from 'node:https';
import { connect } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requestHandler } from '../../local/gateway/handle.ts';
import type { Invoke, Invoked } from '../../local/gateway/invoke.ts';
import { buildModel } from '../../local/gateway/model.ts';
import { startTlsFront, type TlsFront } from '../../local/gateway/server.ts';
import { type Issued, issue } from './authorities.ts';
import { deployed, gateArn, smallTemplate, thingArn } from './small-template.ts';

type Call = { functionArn: string; event: Record<string, unknown> };
const allow: Invoked = {
  outcome: 'answer',
  payload: {
    principalId: 'p1',
    policyDocument: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*' }],
    },
    context: { principal_id: 'p1', generation: 3 },
  },
};
const deny = (reason: string): Invoked => ({
  outcome: 'answer',
  payload: {
    principalId: 'p1',
    policyDocument: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Action: 'execute-api:Invoke', Resource: '*' }],
    },
    context: { reason: JSON.stringify(reason) },
  },
});
const ok: Invoked = {
  outcome: 'answer',
  payload: { statusCode: 200, headers: { 'X-Own': 'yes' }, body: '{"fine":true}' },
};

describe('the mTLS gateway', () => {
  let front: TlsFront;
  let web: Issued;
  let server: Issued;
  let ours: Issued;
  let worker: Issued;
  let gate: Invoked;
  let thing: Invoked;
  let calls: Call[];

  const invoke: Invoke = async (functionArn, event) => {
    calls.push({ functionArn, event: event as Record<string, unknown> });
    return functionArn === gateArn ? gate : thing;
  };
  const files = (truststore: string) => ({ certificate: server.pem + web.pem, key: server.keyPem, truststore });

  interface Ask {
    readonly method?: string;
    readonly as?: Issued | undefined;
    readonly headers?: Record<string, string | string[]>;
    readonly body?: string | Buffer;
    readonly agent?: Agent;
    readonly extra?: string;
  }
  const ask = (path: string, { method = 'GET', as, headers = {}, body, agent, extra = '' }: Ask) =>
    new Promise<{ status: number; body: string; headers: Record<string, unknown> }>((resolve, reject) => {
      const tls = { ca: web.pem, ...(as ? { cert: as.pem + extra, key: as.keyPem } : {}) };
      const call = httpsRequest(
        { ...tls, host: '127.0.0.1', port: front.port, path, method, headers, agent: agent ?? false },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => {
            text += chunk.toString();
          });
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }),
          );
        },
      );
      call.on('error', reject);
      call.end(body);
    });

  beforeAll(async () => {
    web = await issue({ name: 'web authority', authority: {} });
    server = await issue({ name: 'small.example.com', issuer: web });
    ours = await issue({ name: 'our authority', authority: { pathLength: 0 } });
    worker = await issue({ name: 'worker-1', issuer: ours });
    const template = smallTemplate();
    const model = buildModel(template, deployed(template));
    front = await startTlsFront(0, files(ours.pem), (port) => requestHandler(model, invoke, port, () => undefined));
  });
  afterAll(() => front.stop());
  beforeEach(() => {
    calls = [];
    gate = allow;
    thing = ok;
    front.use(files(ours.pem));
  });

  it('hands an allowed call to its function with what the authorizer said, and its answer back', async () => {
    const answer = await ask('/things/a%20b?x=1&x=2&y=%2F', { as: worker, headers: { 'X-Two': ['a', 'b'] } });
    expect(answer).toMatchObject({ status: 200, body: '{"fine":true}', headers: { 'x-own': 'yes' } });
    const [first, second] = calls;
    expect(first).toMatchObject({
      functionArn: gateArn,
      event: {
        type: 'REQUEST',
        methodArn: 'arn:aws:execute-api:eu-west-1:000000000000:api-1/live/GET/things/a%20b',
        resource: '/things/{id}',
        path: '/things/a%20b',
        httpMethod: 'GET',
        queryStringParameters: { x: '2', y: '/' },
        multiValueQueryStringParameters: { x: ['1', '2'], y: ['/'] },
        pathParameters: { id: 'a%20b' },
        multiValueHeaders: { 'X-Two': ['a', 'b'] },
        requestContext: {
          stage: 'live',
          apiId: 'api-1',
          domainName: 'small.example.com',
          identity: {
            clientCert: {
              clientCertPem: expect.stringContaining('BEGIN CERTIFICATE'),
              subjectDN: 'CN=worker-1',
              issuerDN: 'CN=our authority',
              serialNumber: expect.stringMatching(/^[0-9a-f]{2}(:[0-9a-f]{2})*$/),
              validity: { notBefore: expect.any(String), notAfter: expect.any(String) },
            },
          },
        },
      },
    });
    expect(second).toMatchObject({
      functionArn: thingArn,
      event: { body: null, requestContext: { authorizer: { principalId: 'p1', principal_id: 'p1', generation: '3' } } },
    });
  });

  it('answers a denial with the gateway response, the reason put in raw, and calls nothing behind', async () => {
    gate = deny('say "no" \\ never');
    const answer = await ask('/things', { as: worker });
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.body)).toEqual({ message: 'say "no" \\ never' });
    expect(calls).toHaveLength(1);
  });

  it.each<[string, Invoked, number, string]>([
    ['throws', { outcome: 'error', errorType: 'Error', errorMessage: 'x' }, 503, '{"message": "unavailable"}'],
    ['times out', { outcome: 'timeout' }, 503, '{"message": "unavailable"}'],
    ['answers nonsense', { outcome: 'answer', payload: { principalId: 1 } }, 500, '{"title": null}'],
    ['is throttled', { outcome: 'throttled' }, 500, '{"title": null}'],
    [
      'answers objects in its context',
      {
        outcome: 'answer',
        payload: { ...(allow.outcome === 'answer' && (allow.payload as object)), context: { a: {} } },
      },
      500,
      '{"title": null}',
    ],
  ])('lets nobody in when the authorizer %s', async (_, result, status, body) => {
    gate = result;
    expect(await ask('/things', { as: worker })).toMatchObject({ status, body });
    expect(calls).toHaveLength(1);
  });

  it.each<[string, Invoked, number]>([
    ['throws', { outcome: 'error', errorType: 'Error', errorMessage: 'x' }, 502],
    ['answers no proxy answer', { outcome: 'answer', payload: 'hello' }, 502],
    ['takes too long', { outcome: 'timeout' }, 504],
    ['is asked with too much', { outcome: 'too large' }, 413],
  ])('says so by the default responses, with API Gateway’s status, when the function %s', async (_, result, status) => {
    thing = result;
    expect(await ask('/things', { as: worker })).toMatchObject({
      status,
      headers: { 'content-type': 'application/problem+json' },
      body: expect.stringMatching(/^\{"title": "[A-Z].*"\}$/),
    });
  });

  it('asks the gate before it tells an allowed caller that nothing is there', async () => {
    const answer = await ask('/nowhere', { as: worker });
    expect(answer).toMatchObject({
      status: 404,
      body: '{"status": 404}',
      headers: { 'content-type': 'application/problem+json' },
    });
    gate = deny('x');
    expect((await ask('/nowhere', { as: worker })).status).toBe(401);
  });

  it('answers an undeclared method as API Gateway does, without asking anyone', async () => {
    expect(await ask('/things', { as: worker, method: 'DELETE' })).toMatchObject({
      status: 403,
      body: '{"title": "Missing Authentication Token"}',
    });
    expect(calls).toHaveLength(0);
  });

  it('refuses a body over 10 MB and too long headers', async () => {
    const large = Buffer.alloc(10 * 1024 * 1024 + 1, 'x');
    expect((await ask('/things', { as: worker, method: 'POST', body: large })).status).toBe(413);
    expect((await ask('/things', { as: worker, headers: { 'X-Long': 'x'.repeat(11_000) } })).status).toBe(431);
    expect(calls).toHaveLength(0);
  });

  it('throttles beyond the burst of the stage', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 8, ca: web.pem, cert: worker.pem, key: worker.keyPem });
    const answers = await Promise.all(Array.from({ length: 400 }, () => ask('/things', { as: worker, agent })));
    agent.destroy();
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 150));
  });

  describe('client certificates', () => {
    it('none: the handshake fails', async () => {
      await expect(ask('/things', {})).rejects.toThrow(/alert|certificate required|ECONNRESET|socket/i);
      expect(calls).toHaveLength(0);
    });

    it.each<[string, () => Promise<[Issued, string?]>]>([
      ['of nobody', async () => [await issue({ name: 'worker-1' })]],
      [
        'of another authority with the same name',
        async () => [await issue({ name: 'worker-1', issuer: await issue({ name: 'our authority', authority: {} }) })],
      ],
      ['expired', async () => [await issue({ name: 'worker-1', issuer: ours, from: -9, to: -1 })]],
      ['not yet valid', async () => [await issue({ name: 'worker-1', issuer: ours, from: 1 })]],
      ['signed with a worker’s key', async () => [await issue({ name: 'worker-2', issuer: worker }), worker.pem]],
      [
        'under an intermediate that the path length forbids',
        async () => {
          const between = await issue({ name: 'between', issuer: ours, authority: {} });
          return [await issue({ name: 'worker-2', issuer: between }), between.pem];
        },
      ],
    ])('%s: 403 Forbidden before any authorizer', async (_, make) => {
      const [as, extra] = await make();
      expect(await ask('/things', { as, extra: extra ?? '' })).toMatchObject({
        status: 403,
        body: '{"message":"Forbidden"}',
      });
      expect(calls).toHaveLength(0);
    });

    it('a chain of an intermediate leads to an authority that allows it', async () => {
      const root = await issue({ name: 'deep', authority: {} });
      const between = await issue({ name: 'between', issuer: root, authority: {} });
      const leaf = await issue({ name: 'worker-3', issuer: between });
      front.use(files(root.pem));
      expect((await ask('/things', { as: leaf, extra: between.pem })).status).toBe(200);
      expect((await ask('/things', { as: leaf })).status).toBe(403);
    });

    it('a new truststore counts for new connections; those that live go on', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: web.pem, cert: worker.pem, key: worker.keyPem });
      expect((await ask('/things', { as: worker, agent })).status).toBe(200);
      const next = await issue({ name: 'next authority', authority: {} });
      front.use(files(next.pem));
      expect((await ask('/things', { as: worker, agent })).status).toBe(200);
      expect((await ask('/things', { as: worker })).status).toBe(403);
      expect((await ask('/things', { as: await issue({ name: 'w', issuer: next }) })).status).toBe(200);
      agent.destroy();
    });

    it('a session is never resumed, so each connection shows its certificate', async () => {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const open = (session?: Buffer) =>
          new Promise<{ reused: boolean; session: Buffer | undefined }>((resolve, reject) => {
            let latest: Buffer | undefined;
            let reused = false;
            const socket = connect({
              host: '127.0.0.1',
              port: front.port,
              ca: web.pem,
              cert: worker.pem,
              key: worker.keyPem,
              minVersion: version,
              maxVersion: version,
              ...(session ? { session } : {}),
            });
            socket.on('session', (given: Buffer) => {
              latest = given;
            });
            socket.on('secureConnect', () => {
              reused = socket.isSessionReused();
              socket.write('GET /things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
            });
            socket.on('data', () => undefined);
            socket.on('close', () => resolve({ reused, session: latest }));
            socket.on('error', reject);
          });
        const first = await open();
        expect((await open(first.session)).reused).toBe(false);
      }
    });
  });
});
