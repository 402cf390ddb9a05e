/** The HTTP edge: what it lets through, and how it refuses. */
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { Conflict, InvalidInput, LeaseHeld, NotAllowed, NotFound, Unavailable } from '../../src/errors.ts';
import { limitSchema, pageToken } from '../../src/http/page.ts';
import { type Answer, route, takesNothing } from '../../src/http/route.ts';
import { adminCaller, event } from './event.ts';

vi.hoisted(() => {
  process.env.POWERTOOLS_LOG_LEVEL = 'SILENT';
});

const suspend = 'POST /api/v1/principals/{principal_id}/suspend';
const list = 'GET /api/v1/principals';
const takes = {
  ...takesNothing,
  path: z.strictObject({ principal_id: z.string() }),
  body: z.strictObject({ reason: z.string(), nested: z.strictObject({ n: z.number() }).optional() }),
};
const done = async (): Promise<Answer> => ({ status: 200, body: { done: true } });
const path = { principal_id: 'w' };

const send = async (parts: Parameters<typeof event>[1], handle = done) => {
  const answer = await route(takes, handle)(event(suspend, { path, ...parts }));
  return { status: answer.statusCode, headers: answer.headers, ...JSON.parse(answer.body) };
};

describe('a request that is as it should be', () => {
  it('reaches the use case with its caller, reach and fields, and is answered as JSON that nobody stores', async () => {
    const handle = vi.fn(done);
    const answer = await send({ body: { reason: 'why' } }, handle);
    expect(answer).toMatchObject({ status: 200, done: true });
    expect(answer.headers).toEqual({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    expect(handle).toHaveBeenCalledWith({
      caller: {
        principal_id: 'admin-one',
        principal_type: 'admin',
        serial_number: '01aa',
        generation: 0,
        request_id: 'of-the-request',
      },
      reach: 'any',
      path,
      query: {},
      body: { reason: 'why' },
    });
  });
  it.each([undefined, null, 7, '', 'x'.repeat(129), 'two words', 'line\nbreak', 'ä'])(
    'is of an unknown id where API Gateway gave none that could be one: %j',
    async (requestId) => {
      const handle = vi.fn(done);
      const whole = z.record(z.string(), z.unknown()).parse(event(suspend, { path, body: { reason: 'why' } }));
      const { authorizer } = z.object({ authorizer: z.unknown() }).parse(whole.requestContext);
      await route(takes, handle)({ ...whole, requestContext: { requestId, authorizer } });
      expect(handle).toHaveBeenCalledWith(
        expect.objectContaining({ caller: expect.objectContaining({ request_id: 'unknown' }) }),
      );
    },
  );
  it('may send charset with its content type, in any case, and an Origin that is this host', async () => {
    const headers = {
      'Content-Type': 'Application/JSON; charset=utf-8',
      origin: 'https://API.example.com',
      'sec-fetch-site': 'same-origin',
    };
    expect(await send({ headers, body: { reason: 'why' } })).toMatchObject({ status: 200 });
  });
  it('may be base64 encoded', async () => {
    const plain = event(suspend, { path, body: Buffer.from('{"reason":"ü"}').toString('base64') });
    const handle = vi.fn(done);
    await route(takes, handle)({ ...(plain as object), isBase64Encoded: true });
    expect(handle.mock.calls[0]).toMatchObject([{ body: { reason: 'ü' } }]);
  });
});

describe('a request that is refused', () => {
  it.each([
    ['no caller', { caller: null }],
    ['an unknown type', { caller: { ...adminCaller, principal_type: 'root' } }],
    ['no generation', { caller: { ...adminCaller, generation: undefined } }],
    ['a negative generation', { caller: { ...adminCaller, generation: '-1' } }],
    ['a role that does not reach', { caller: { ...adminCaller, principal_type: 'worker' } }],
  ])('403 with %s, before anything else is looked at', async (_, parts) => {
    const handle = vi.fn(done);
    expect(await send({ ...parts, headers: { 'Content-Type': 'text/plain' }, body: '{' }, handle)).toMatchObject({
      status: 403,
      type: 'about:blank',
      title: 'Forbidden',
    });
    expect(handle).not.toHaveBeenCalled();
  });
  it('403 on a route that the role table does not name, to an admin too', async () => {
    const answer = await route(takesNothing, done)(event('GET /api/v1/nothing'));
    expect(answer.statusCode).toBe(403);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' });
  });
  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', ''])('415 for %j', async (type) => {
    expect(await send({ headers: { 'Content-Type': type }, body: { reason: 'x' } })).toMatchObject({ status: 415 });
  });
  it.each([
    [{ origin: 'https://evil.example' }],
    [{ origin: 'http://api.example.com' }],
    [{ Origin: 'null' }],
    [{ 'Sec-Fetch-Site': 'cross-site' }],
    [{ 'Sec-Fetch-Site': 'same-site' }],
    [{ 'Sec-Fetch-Site': 'none' }],
  ])('403 for a browser from elsewhere: %j', async (headers) => {
    expect(await send({ headers, body: { reason: 'x' } })).toMatchObject({ status: 403 });
  });
  it.each([
    ['{', 'body', 'body: is not JSON'],
    ['[]', 'body', expect.stringContaining('body: ')],
    ['null', 'body', expect.stringContaining('body: ')],
    ['', 'reason', 'reason: is required'],
    [{ reason: 7 }, 'reason', expect.stringContaining('reason: ')],
    [{ reason: 'x', extra: 1 }, 'extra', 'extra: is not a field of this request'],
    ['{"reason":"x","__proto__":{"a":1}}', '__proto__', expect.any(String)],
    [{ reason: 'x', nested: { n: 1, m: 2 } }, 'nested.m', expect.any(String)],
    [{ reason: 'x', nested: {} }, 'nested.n', 'nested.n: is required'],
    [{ reason: 'x'.repeat(70_000) }, 'body', 'body: is larger than 65536 bytes'],
  ])('400 for the body %j, naming %s', async (body, field, detail) => {
    expect(await send({ body })).toMatchObject({ status: 400, title: 'Bad Request', field, detail });
  });
  it('400 for a parameter that is unknown or given twice', async () => {
    const ask = async (query: Record<string, string | string[]>) =>
      JSON.parse(
        (
          await route(
            { ...takesNothing, query: z.strictObject({ limit: limitSchema({ most: 200, usual: 50 }) }) },
            done,
          )(event(list, { query }))
        ).body,
      );
    expect(await ask({ sort: 'asc' })).toMatchObject({ status: 400, field: 'sort' });
    expect(await ask({ limit: ['1', '2'] })).toMatchObject({ status: 400, field: 'limit' });
    for (const limit of ['0', '201', '-1', '1.5', '1e2', 'x', ''])
      expect(await ask({ limit })).toMatchObject({ status: 400, field: 'limit' });
  });
});

describe('a use case that fails', () => {
  it.each([
    [new InvalidInput('csr', 'its key is weak'), 400, 'csr: its key is weak'],
    [new NotAllowed('no'), 403, 'no'],
    [new NotFound('nothing there'), 404, 'nothing there'],
    [new Conflict('is taken'), 409, 'is taken'],
    [new LeaseHeld('another is at it'), 409, 'another is at it'],
    [new Unavailable('later'), 503, 'later'],
    [Object.assign(new Error('slow down'), { name: 'ThrottlingException' }), 503, expect.any(String)],
    [Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), 503, expect.any(String)],
    [Object.assign(new Error('oops'), { $metadata: { httpStatusCode: 500 } }), 503, expect.any(String)],
  ])('%s becomes %i', async (error, status, detail) => {
    const answer = await send({ body: { reason: 'x' } }, () => Promise.reject(error));
    expect(answer).toMatchObject({ status, detail });
    expect(answer.headers?.['retry-after']).toBe(status === 503 ? '2' : undefined);
  });
  it('names the field that led to it, where one did', async () => {
    const refused = () => Promise.reject(new NotFound('there is no principal w', 'principal_id'));
    expect(await send({ body: { reason: 'x' } }, refused)).toMatchObject({
      status: 404,
      field: 'principal_id',
      detail: 'there is no principal w',
    });
  });
  it('by a defect tells its caller nothing of it', async () => {
    const answer = await send({ body: { reason: 'x' } }, () => Promise.reject(new TypeError('secret innards')));
    expect(answer).toMatchObject({ status: 500, title: 'Internal Server Error' });
    expect(JSON.stringify(answer)).not.toContain('innards');
  });
});

describe('a page token', () => {
  const token = pageToken('things', z.string().max(10));
  it('comes back as what was written', () => {
    expect(token.schema.parse(token.write('wörker'))).toBe('wörker');
  });
  it.each([
    ['garbage', '%%%'],
    ['nothing', ''],
    ['another list’s', pageToken('other', z.string()).write('a')],
    ['a key of another shape', Buffer.from('["things",{"a":1}]').toString('base64url')],
    ['a key too long', Buffer.from(`["things","${'a'.repeat(11)}"]`).toString('base64url')],
    ['one of many megabytes', 'a'.repeat(5_000_000)],
  ])('is refused when it is %s', (_, text) => {
    expect(token.schema.safeParse(text).success).toBe(false);
  });
});
