import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { recordReader } from '../../src/access/read-records.ts';
import { sender } from '../../src/access/send-request.ts';
import { generationCopies } from '../../src/names.ts';
import { deployment, goodRecords, makeCertificate, principalId, serial } from './certificates.ts';
import { json, type Scripted, type Step, startDynamodb } from './dynamodb.ts';

const records = goodRecords(await makeCertificate());
const answers = {
  airunner_prod_principals: [records.principal],
  airunner_prod_certificates: [records.certificate],
  airunner_prod_controls: [records.generation],
};
const ok: Step = json(200, { Responses: answers, UnprocessedKeys: {} });
const failure: Step = json(500, { __type: 'com.amazonaws.dynamodb.v20120810#InternalServerError' });
const throttled: Step = json(400, {
  __type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
});
const silent: Step = () => undefined;
const close: Step = (response) => response.destroy();

const requestSchema = z.object({
  RequestItems: z.record(
    z.string(),
    z.strictObject({
      Keys: z.array(z.record(z.string(), z.object({ S: z.string() }))),
      ConsistentRead: z.literal(true),
      ProjectionExpression: z.string(),
      ExpressionAttributeNames: z.record(z.string(), z.string()),
    }),
  ),
});

let server: Scripted;
beforeAll(async () => {
  server = await startDynamodb();
});
afterAll(() => server.stop());
beforeEach(() => server.script(ok));

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'not-a-secret', sessionToken: 'token' };
/** A reader of its own for each test, with the generation's copy that `random` picks. */
const reader = (random = () => 7 / generationCopies) =>
  recordReader(
    deployment,
    sender({ credentials, region: 'ap-southeast-2', endpoint: server.endpoint, operation: 'BatchGetItem' }),
    random,
  );
const read = (principal: string | undefined = principalId) => reader()(principal, serial);
const asked = (index = 0) => requestSchema.parse(JSON.parse(server.asked[index]?.body ?? '')).RequestItems;

describe('a read', () => {
  it('is exactly one strongly consistent BatchGetItem of three items', async () => {
    await expect(read()).resolves.toEqual(records);
    expect(server.asked).toHaveLength(1);
    expect(server.asked[0]).toMatchObject({ method: 'POST', url: '/' });
    expect(server.asked[0]?.headers).toMatchObject({
      'x-amz-target': 'DynamoDB_20120810.BatchGetItem',
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-security-token': 'token',
    });
    expect(Object.fromEntries(Object.entries(asked()).map(([table, { Keys }]) => [table, Keys]))).toEqual({
      airunner_prod_principals: [{ principal_id: { S: principalId } }],
      airunner_prod_certificates: [{ serial_number: { S: serial } }],
      airunner_prod_controls: [{ control_id: { S: 'generation#7' } }],
    });
  });

  it('asks for what the decision needs and no more, by aliased names', async () => {
    await read();
    const names = Object.values(asked()).map(({ ProjectionExpression, ExpressionAttributeNames }) =>
      ProjectionExpression.split(',').map((alias) => ExpressionAttributeNames[alias]),
    );
    expect(names.flat().sort()).toEqual(
      [
        ...['principal_id', 'status', 'type', 'suspended_reason'],
        ...['serial_number', 'principal_id', 'fingerprint', 'generation', 'expires_at', 'revoked', 'revocation_reason'],
        ...['control_id', 'generation', 'reason', 'exempt_serials'],
      ].sort(),
    );
  });

  it('keeps its connection', async () => {
    const one = reader();
    for (let call = 0; call < 5; call++) await one(principalId, serial);
    expect(server.asked).toHaveLength(5);
    expect(server.connections()).toBe(1);
  });

  it('spreads over all copies of the generation, and leaves none out', async () => {
    const copies = new Set<unknown>();
    for (let copy = 0; copy < generationCopies; copy++) {
      server.script((response, { body }) => {
        copies.add(JSON.parse(body).RequestItems.airunner_prod_controls.Keys[0].control_id.S);
        response.writeHead(500).end();
      });
      await expect(reader(() => (copy + 0.999) / generationCopies)(principalId, serial)).rejects.toThrow();
    }
    expect(copies).toEqual(new Set(Array.from({ length: 16 }, (_, copy) => `generation#${copy}`)));
  });

  it('without a principal id asks for the other two', async () => {
    server.script(json(200, { Responses: { ...answers, airunner_prod_principals: undefined } }));
    await expect(reader()(undefined, serial)).resolves.toEqual({ ...records, principal: undefined });
    expect(Object.keys(asked())).toEqual(['airunner_prod_certificates', 'airunner_prod_controls']);
  });

  it('tells missing rows apart', async () => {
    server.script(json(200, { Responses: { ...answers, airunner_prod_certificates: [] }, UnprocessedKeys: {} }));
    await expect(read()).resolves.toEqual({ ...records, certificate: undefined });
  });

  it('takes the longest items that DynamoDB can hold', async () => {
    const reason = { S: '\u0001'.repeat(390_000) };
    const principal = { ...records.principal, suspended_reason: reason };
    server.script(json(200, { Responses: { ...answers, airunner_prod_principals: [principal] } }));
    expect((await read()).principal?.suspended_reason).toEqual(reason);
  });

  it('puts no letter of an id where it could be more than an id', async () => {
    const hostile = '"}}],"x":"\\\u2028\n';
    server.script(json(200, { Responses: { ...answers, airunner_prod_principals: [] } }));
    await reader()(hostile, serial);
    expect(asked().airunner_prod_principals?.Keys).toEqual([{ principal_id: { S: hostile } }]);
  });
});

describe('keys left unprocessed', () => {
  const left = (...tables: (keyof typeof answers)[]): Step =>
    json(200, {
      Responses: Object.fromEntries(
        Object.entries(answers).map(([table, items]) => [table, tables.some((one) => one === table) ? [] : items]),
      ),
      UnprocessedKeys: Object.fromEntries(tables.map((table) => [table, { Keys: [{}] }])),
    });

  it('are asked for once more, and only they', async () => {
    server.script(
      left('airunner_prod_certificates', 'airunner_prod_controls'),
      json(200, {
        Responses: { ...answers, airunner_prod_principals: undefined },
        UnprocessedKeys: {},
      }),
    );
    await expect(read()).resolves.toEqual(records);
    expect(server.asked).toHaveLength(2);
    expect(Object.keys(asked(1))).toEqual(['airunner_prod_certificates', 'airunner_prod_controls']);
    expect(asked(1).airunner_prod_certificates).toEqual(asked(0).airunner_prod_certificates);
    expect(asked(1).airunner_prod_controls).toEqual(asked(0).airunner_prod_controls);
  });

  it('twice are unavailable, never missing', async () => {
    server.script(left('airunner_prod_certificates'));
    await expect(read()).rejects.toMatchObject({ name: 'Unavailable', message: 'keys left unprocessed' });
    expect(server.asked).toHaveLength(2);
  });

  it('and then a failure: unavailable after one repetition', async () => {
    server.script(left('airunner_prod_principals'), failure);
    await expect(read()).rejects.toMatchObject({ name: 'Unavailable' });
    expect(server.asked).toHaveLength(3);
  });
});

describe('a failure', () => {
  it.each([
    ['500', failure],
    ['503 without a body', json(503, '')],
    ['throttling', throttled],
    ['a closed connection', close],
    [
      'an answer cut in the middle',
      ((response) => {
        response.writeHead(200, { 'content-length': 1_000 });
        response.write('{"Responses":');
        setTimeout(() => response.destroy(), 10);
      }) satisfies Step,
    ],
  ])('of the kind that passes (%s) is repeated once', async (_, step) => {
    server.script(step, ok);
    await expect(read()).resolves.toEqual(records);
    expect(server.asked).toHaveLength(2);
    server.script(step);
    await expect(read()).rejects.toMatchObject({ name: 'Unavailable' });
    expect(server.asked).toHaveLength(2);
  });

  it.each([
    ['a refusal', json(400, { __type: 'com.amazon.coral.service#AccessDeniedException' })],
    ['a missing table', json(400, { __type: 'x#ResourceNotFoundException' })],
    ['a redirect', ((response) => response.writeHead(307, { location: '/elsewhere' }).end()) satisfies Step],
    ['no JSON', json(200, '<html>')],
    ['nothing', json(200, '')],
  ])('that stays (%s) is unavailable at once', async (_, step) => {
    server.script(step);
    await expect(read()).rejects.toMatchObject({ name: 'Unavailable' });
    expect(server.asked).toHaveLength(1);
  });

  it.each([
    ['null', null],
    ['a list', []],
    ['a string', '"x"'],
    ['no responses', {}],
    ['responses of a wrong type', { Responses: [] }],
    ['unprocessed keys of a wrong type', { Responses: answers, UnprocessedKeys: [] }],
    ['no unprocessed keys at all', { Responses: answers, UnprocessedKeys: null }],
    ['a table of a wrong type', { Responses: { ...answers, airunner_prod_principals: {} } }],
    ['an item of a wrong type', { Responses: { ...answers, airunner_prod_principals: ['x'] } }],
    ['no item', { Responses: { ...answers, airunner_prod_principals: [null] } }],
    ['two items', { Responses: { ...answers, airunner_prod_principals: [records.principal, records.principal] } }],
    ['another item', { Responses: { ...answers, airunner_prod_principals: [{ principal_id: { S: 'admin' } }] } }],
    ['a key of a wrong type', { Responses: { ...answers, airunner_prod_principals: [{ principal_id: principalId }] } }],
  ])('to answer the question (%s) is unavailable', async (_, value) => {
    server.script(json(200, value));
    await expect(read()).rejects.toMatchObject({ name: 'Unavailable', message: 'answer not understood' });
    expect(server.asked).toHaveLength(1);
  });

  it('to stop talking is unavailable', async () => {
    server.script((response) => {
      response.writeHead(200);
      const more = setInterval(() => response.write('x'.repeat(1_000_000)), 1);
      response.on('close', () => clearInterval(more));
    });
    await expect(read()).rejects.toThrow('answer too long');
  });

  it('to answer is given up after one second, and altogether after two', async () => {
    server.script(silent, ok);
    const start = performance.now();
    await expect(read()).resolves.toEqual(records);
    expect(performance.now() - start).toBeLessThan(1_500);
    server.script(silent);
    const again = performance.now();
    await expect(read()).rejects.toThrow('no answer in time');
    expect(performance.now() - again).toBeGreaterThan(1_900);
    expect(performance.now() - again).toBeLessThan(2_500);
    expect(server.asked).toHaveLength(2);
  });

  it('to finish an answer counts against the same time', async () => {
    server.script((response) => {
      response.writeHead(200);
      const more = setInterval(() => response.write(' '), 50);
      response.on('close', () => clearInterval(more));
    });
    const start = performance.now();
    await expect(read()).rejects.toThrow('no answer in time');
    expect(performance.now() - start).toBeLessThan(2_500);
  });

  it('of a kept connection that the other side has closed meanwhile goes unnoticed', async () => {
    const one = reader();
    await one(principalId, serial);
    server.script(close, ok);
    await expect(one(principalId, serial)).resolves.toEqual(records);
  });
});

describe('nobody listening', () => {
  it('is unavailable', async () => {
    const gone = await startDynamodb();
    await gone.stop();
    const send = sender({ credentials, region: 'x', endpoint: gone.endpoint, operation: 'BatchGetItem' });
    await expect(recordReader(deployment, send)(principalId, serial)).rejects.toMatchObject({ name: 'Unavailable' });
  });
});

describe('an endpoint', () => {
  const at = (endpoint: string) => () =>
    sender({ credentials, region: 'x', endpoint: new URL(endpoint), operation: 'BatchGetItem' });

  it.each([
    'https://dynamodb.eu-west-1.amazonaws.com',
    'http://127.0.0.1:4566/',
    'http://localhost:1',
    'http://[::1]:1',
  ])('may be %s', (endpoint) => {
    expect(at(endpoint)).not.toThrow();
  });

  it.each([
    'http://dynamodb.eu-west-1.amazonaws.com',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'ftp://127.0.0.1',
  ])('in the clear (%s) is refused', (endpoint) => {
    expect(at(endpoint)).toThrow('must be https');
  });
});
