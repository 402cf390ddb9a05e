import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { bundleOptions } from '../../lib/bundle.ts';
import { authorizer, authorizerFromEnvironment } from '../../src/access/authorize.ts';
import type { Records } from '../../src/access/decide.ts';
import { anotherKey, deployment, goodRecords, makeCertificate, now, principalId, serial } from './certificates.ts';
import { json, type Scripted, startDynamodb } from './dynamodb.ts';

const pem = await makeCertificate();
const methodArn = 'arn:aws:execute-api:ap-southeast-2:123456789012:abc123/prod/POST/job.v1.JobService/ListJobs';
const eventOf = (clientCertPem: unknown, more: object = {}) => ({
  type: 'REQUEST',
  methodArn,
  requestContext: { identity: { clientCert: { clientCertPem, ...more } } },
});

const lines: string[] = [];
const readRecords = vi.fn<(principal: string | undefined, serial: string) => Promise<Records>>();
const gate = (clock = () => now) =>
  authorizer({ deployment, service: 'gate', readRecords, now: clock, write: (line) => lines.push(line) });
beforeEach(() => {
  lines.length = 0;
  readRecords.mockReset();
  readRecords.mockImplementation(async () => goodRecords(pem));
});

const message = (answer: Awaited<ReturnType<ReturnType<typeof gate>>>) => ({
  effect: answer.policyDocument.Statement[0]?.Effect,
  message: JSON.parse(String(answer.context?.reason ?? 'null')),
});

describe('a request with a live certificate', () => {
  it('is let in, with who it is, for the whole stage', async () => {
    await expect(gate()(eventOf(pem))).resolves.toEqual({
      principalId,
      policyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            Action: 'execute-api:Invoke',
            Effect: 'Allow',
            Resource: 'arn:aws:execute-api:ap-southeast-2:123456789012:abc123/prod/*',
          },
        ],
      },
      context: { principal_id: principalId, principal_type: 'worker', serial_number: serial, generation: '3' },
    });
    expect(readRecords).toHaveBeenCalledExactlyOnceWith(principalId, serial);
  });

  it('is looked up by the serial in its PEM, whatever the event says beside it', async () => {
    await gate()(eventOf(pem, { serialNumber: '01', subjectDN: 'CN=admin-bootstrap' }));
    expect(readRecords).toHaveBeenCalledExactlyOnceWith(principalId, serial);
  });

  it('is refused on the very next call after its principal was suspended, and let in again after', async () => {
    const one = gate();
    const suspended = goodRecords(pem);
    Object.assign(suspended.principal, { status: { S: 'suspended' }, suspended_reason: { S: 'why "not" \\' } });
    expect(message(await one(eventOf(pem))).effect).toBe('Allow');
    readRecords.mockResolvedValueOnce(suspended);
    expect(message(await one(eventOf(pem)))).toEqual({ effect: 'Deny', message: 'principal suspended: why "not" \\' });
    expect(message(await one(eventOf(pem))).effect).toBe('Allow');
    expect(readRecords).toHaveBeenCalledTimes(3);
  });

  it('writes one line for a first minute of calls', async () => {
    const one = gate();
    for (let call = 0; call < 50; call++) await one(eventOf(pem));
    expect(lines).toHaveLength(1);
  });

  it.each([
    ['is refused', () => eventOf('garbage'), async () => goodRecords(pem)],
    ['is let in', () => eventOf(pem), async () => goodRecords(pem)],
    ['cannot be told', () => eventOf(pem), () => Promise.reject(new Error('boom'))],
  ])('has the sum of a minute before it told by a next one that %s, as of its own time', async (_, next, read) => {
    let clock = now;
    const one = gate(() => clock);
    for (let call = 0; call < 60; call++, clock += 1_000) await one(eventOf(pem));
    clock += 600_000;
    readRecords.mockImplementation(read);
    await one(next()).catch(() => undefined);
    const told = lines.map((line) => JSON.parse(line)).filter(({ message }) => message === 'authentication successes');
    expect(told.map((line) => [line.mtls_auth_total, line._aws.Timestamp - now])).toEqual([
      [1, 0],
      [59, 59_000],
    ]);
  });
});

describe('a request with something else', () => {
  it.each([undefined, null, '', 7, {}, 'garbage', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])(
    '(%j) is refused without asking DynamoDB',
    async (nothing) => {
      expect(message(await gate()(eventOf(nothing)))).toEqual({ effect: 'Deny', message: 'certificate unknown' });
      expect(readRecords).not.toHaveBeenCalled();
      expect(lines).toHaveLength(1);
    },
  );

  it('(no identity at all) is refused', async () => {
    for (const event of [
      { methodArn },
      { methodArn, requestContext: null },
      { methodArn, requestContext: { identity: [] } },
    ])
      expect(message(await gate()(event)).effect).toBe('Deny');
  });

  it('(the same serial and name, signed by another CA) is refused and marked', async () => {
    const forged = await makeCertificate({}, anotherKey.privateKey);
    expect(message(await gate()(eventOf(forged)))).toEqual({ effect: 'Deny', message: 'certificate unknown' });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ foreign_certificate: true });
  });

  it('(a name that no table could hold) does not reach DynamoDB as a key', async () => {
    for (const name of ['', 'x'.repeat(3_000)]) {
      const odd = await makeCertificate({ subject: [{ CN: [{ utf8String: name }] }] });
      readRecords.mockResolvedValueOnce({ ...goodRecords(odd), principal: undefined });
      expect(message(await gate()(eventOf(odd))).message).toBe('certificate does not match principal');
      expect(readRecords).toHaveBeenLastCalledWith(undefined, serial);
    }
  });
});

describe('what cannot be told', () => {
  it.each([
    ['a failed read', () => Promise.reject(new Error('boom'))],
    ['a missing generation', async () => ({ ...goodRecords(pem), generation: undefined })],
  ])('(%s) throws, so that the gateway answers 503, and says why in the log alone', async (_, read) => {
    readRecords.mockImplementation(read);
    await expect(gate()(eventOf(pem))).rejects.toMatchObject({
      name: 'Unavailable',
      message: 'authentication unavailable',
    });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'ERROR', principal_id: principalId });
  });

  it('(an event that is none) throws', async () => {
    for (const event of [undefined, null, 'x', {}, { methodArn: 7 }]) await expect(gate()(event)).rejects.toThrow();
  });
});

describe('deployed', () => {
  let server: Scripted;
  beforeAll(async () => {
    server = await startDynamodb();
  });
  afterAll(() => server.stop());
  afterEach(() => vi.restoreAllMocks());

  const environment = () => ({
    EVERLEAF_NAME: 'airunner',
    EVERLEAF_ENVIRONMENT: 'prod',
    AWS_REGION: 'ap-southeast-2',
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'not-a-secret',
    AWS_ENDPOINT_URL: server.endpoint.href,
  });
  const answers = () => {
    const records = goodRecords(pem);
    Object.assign(records.certificate, { expires_at: { N: '9999999999999' } });
    return {
      Responses: {
        airunner_prod_principals: [records.principal],
        airunner_prod_certificates: [records.certificate],
        airunner_prod_controls: [{ ...records.generation, control_id: { S: 'generation#0' } }],
      },
      UnprocessedKeys: {},
    };
  };

  it('asks the endpoint of the SDK’s own convention, once for each call', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    vi.spyOn(Date, 'now').mockReturnValue(now);
    const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    server.script(json(200, answers()));
    const handler = authorizerFromEnvironment(environment());
    for (let call = 0; call < 3; call++) expect(message(await handler(eventOf(pem))).effect).toBe('Allow');
    expect(server.asked).toHaveLength(3);
    expect(written).toHaveBeenCalledTimes(1);
    const other = authorizerFromEnvironment({
      ...environment(),
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      AWS_ENDPOINT_URL_DYNAMODB: server.endpoint.href,
    });
    expect(message(await other(eventOf(pem))).effect).toBe('Allow');
  });

  it.each(['EVERLEAF_NAME', 'EVERLEAF_ENVIRONMENT', 'AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])(
    'does not start without %s',
    (name) => {
      expect(() => authorizerFromEnvironment({ ...environment(), [name]: '' })).toThrow(`${name} is not set`);
    },
  );

  it('is one small bundle of nothing but its own code', async () => {
    const { outputFiles, metafile } = await build({
      ...bundleOptions('access/authorize-request', 'cjs'),
      write: false,
      metafile: true,
    });
    expect(outputFiles[0]?.contents.length).toBeLessThanOrEqual(12_000);
    expect(Object.keys(metafile.inputs).filter((path) => path.includes('node_modules'))).toEqual([]);
  });
});
