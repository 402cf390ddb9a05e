import { Logger } from '@aws-lambda-powertools/logger';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseCertificate } from '../../src/access/certificate.ts';
import { decide, unreadableCertificate } from '../../src/access/decide.ts';
import { openReport } from '../../src/access/report.ts';
import {
  anotherKey,
  deployment,
  fingerprintOf,
  goodRecords,
  makeCertificate,
  now,
  principalId,
  serial,
} from './certificates.ts';

type Line = Record<string, unknown>;
const lines: string[] = [];
const parsed = (): Line[] => lines.map((line): Line => JSON.parse(line));
const report = () => openReport({ deployment, service: 'authorize-request', write: (line) => lines.push(line) });
beforeEach(() => {
  lines.length = 0;
});

const pem = await makeCertificate();
const certificate = parseCertificate(pem);
const denial = (principal: object = {}, row: object = {}, presented = certificate) => {
  const records = goodRecords(pem);
  Object.assign(records.principal, principal);
  Object.assign(records.certificate, row);
  const decision = presented && decide(deployment, presented, records, now);
  if (decision?.outcome !== 'deny') throw new Error('the test made no denial');
  return decision;
};
const suspended = denial({ status: { S: 'suspended' }, suspended_reason: { S: 'Compromised "credentials"\n' } });
const revoked = denial({}, { revoked: { BOOL: true }, revocation_reason: { S: 'key_compromise' } });

/** The dimensions and values that CloudWatch makes of a line. */
const metrics = (line: Line | undefined) => {
  const embedded = line?._aws as {
    Timestamp: number;
    CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string; Unit: string }[] }[];
  };
  expect(embedded.Timestamp).toBeTypeOf('number');
  return embedded.CloudWatchMetrics.map(({ Namespace, Dimensions, Metrics }) => ({
    namespace: Namespace,
    name: Metrics[0]?.Name,
    value: line?.[Metrics[0]?.Name ?? ''],
    dimensions: Object.fromEntries((Dimensions[0] ?? []).map((dimension) => [dimension, line?.[dimension]])),
  }));
};

describe('a denial', () => {
  it('is one line with what the runbook’s queries ask for', () => {
    report().denied(certificate, suspended, now);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    expect(parsed()[0]).toMatchObject({
      level: 'WARN',
      message: 'authentication error: principal suspended: Compromised "credentials"',
      timestamp: '2026-06-01T00:00:00.000Z',
      service: 'authorize-request',
      principal_id: principalId,
      serial,
      principal_type: 'worker',
      result: 'suspended',
      revocation_reason: '',
    });
    expect(metrics(parsed()[0])).toEqual([
      {
        namespace: 'airunner/prod',
        name: 'mtls_auth_total',
        value: 1,
        dimensions: { result: 'suspended', principal_type: 'worker' },
      },
    ]);
  });

  it('of a revoked certificate says so in the runbook’s words', () => {
    report().denied(certificate, revoked, now);
    expect(parsed()[0]).toMatchObject({
      message: 'authentication error: revoked certificate',
      result: 'revoked',
      revocation_reason: 'key_compromise',
      answer: 'certificate revoked: key_compromise',
    });
  });

  it('of a foreign certificate with a known serial number carries a mark and a metric of its own', async () => {
    const forged = await makeCertificate({}, anotherKey.privateKey);
    report().denied(parseCertificate(forged), denial({}, {}, parseCertificate(forged)), now);
    expect(parsed()[0]).toMatchObject({
      message: 'authentication error: certificate unknown',
      foreign_certificate: true,
      fingerprint: fingerprintOf(forged),
      serial,
      result: 'failure',
    });
    expect(metrics(parsed()[0])).toContainEqual({
      namespace: 'airunner/prod',
      name: 'mtls_foreign_certificate_total',
      value: 1,
      dimensions: {},
    });
  });

  it('without a readable certificate is of unknown identity, not of none', () => {
    report().denied(undefined, unreadableCertificate, now);
    expect(parsed()[0]).toMatchObject({ principal_id: 'unknown', serial: 'unknown', principal_type: 'unknown' });
    expect(parsed()[0]).not.toHaveProperty('foreign_certificate');
  });

  it('writes what a certificate says of itself bounded and on one line', async () => {
    const hostile = parseCertificate(
      await makeCertificate({ subject: [{ CN: [{ utf8String: 'x"}\n{"level":"INFO"' }] }] }),
    );
    report().denied(hostile, unreadableCertificate, now);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    expect(parsed()[0]).toMatchObject({ principal_id: 'x"} {"level":"INFO"' });
  });

  it('repeats for every call', () => {
    const one = report();
    for (let call = 0; call < 3; call++) one.denied(certificate, revoked, now);
    expect(lines).toHaveLength(3);
  });
});

/** One line's sum, and how many ms after the test's beginning CloudWatch puts it. */
const sums = () =>
  parsed().flatMap((line) => {
    const { Timestamp } = line._aws as { Timestamp: number };
    expect(line.timestamp).toBe(new Date(Timestamp).toISOString());
    return line.result === 'success' ? [[line.mtls_auth_total, Timestamp - now]] : [];
  });

describe('successes', () => {
  it('are summed: the first is told at once, then one line a minute, and none is lost', () => {
    const one = report();
    for (let call = 0; call < 600; call++) {
      one.requested(false, now + call * 200);
      one.allowed('worker', now + call * 200);
    }
    one.requested(false, now + 120_000);
    expect(sums()).toEqual([
      [1, 0],
      [299, 59_800],
      [300, 119_800],
    ]);
    expect(metrics(parsed()[1])).toEqual([
      {
        namespace: 'airunner/prod',
        name: 'mtls_auth_total',
        value: 299,
        dimensions: { result: 'success', principal_type: 'worker' },
      },
    ]);
  });

  it('of a minute count in that minute, however late the next request comes', () => {
    const one = report();
    for (let call = 0; call < 60; call++) {
      one.requested(false, now + call * 1_000);
      one.allowed('worker', now + call * 1_000);
    }
    one.requested(false, now + 600_000);
    one.allowed('worker', now + 600_000);
    expect(sums()).toEqual([
      [1, 0],
      [59, 59_000],
    ]);
    one.requested(false, now + 660_000);
    expect(sums().at(-1)).toEqual([1, 600_000]);
  });

  it('are told when there are a thousand, so that no more are ever lost', () => {
    const one = report();
    for (let call = 0; call < 2_001; call++) one.allowed('worker', now + call);
    expect(sums()).toEqual([
      [1, 0],
      [1_000, 1_000],
      [1_000, 2_000],
    ]);
  });

  it('after a quiet minute are told at once', () => {
    const one = report();
    for (const at of [0, 60_000]) {
      one.requested(false, now + at);
      one.allowed('worker', now + at);
    }
    expect(sums()).toEqual([
      [1, 0],
      [1, 60_000],
    ]);
  });

  it('are told apart by principal type, each as of its last', () => {
    const one = report();
    one.allowed('admin', now);
    one.allowed('worker', now + 1);
    one.allowed('admin', now + 2);
    one.allowed('worker', now + 60_000);
    expect(parsed().map((line) => line.principal_type)).toEqual(['admin', 'worker', 'admin']);
    expect(sums()).toEqual([
      [1, 0],
      [2, 60_000],
      [1, 2],
    ]);
  });

  it('write less than 100 bytes a call', () => {
    const one = report();
    for (let call = 0; call < 6_000; call++) {
      one.requested(true, now + call * 20);
      one.allowed('worker', now + call * 20);
      if (call === 100) expect(lines.join('').length / call).toBeLessThan(100);
    }
    expect(lines.join('').length / 6_000).toBeLessThan(5);
  });

  it('bring the sum of the parsed certificates along', () => {
    const one = report();
    one.allowed('worker', now);
    for (let call = 0; call < 5; call++) one.requested(true, now + 1);
    one.allowed('worker', now + 60_000);
    expect(metrics(parsed()[1])).toEqual([
      { namespace: 'airunner/prod', name: 'mtls_cache_hits', value: 5, dimensions: { type: 'certificate' } },
    ]);
    expect(lines).toHaveLength(3);
  });
});

describe('what could not be read', () => {
  it('is an error line with its cause, and no metric of a decision', () => {
    if (certificate) report().unavailable(certificate, `answered 500\n${'x'.repeat(10_000)}`, now);
    expect(parsed()[0]).toMatchObject({ level: 'ERROR', principal_id: principalId, serial });
    expect(parsed()[0]?.message).toMatch(/^authentication unavailable: answered 500 x+$/);
    expect(lines[0]?.length).toBeLessThan(600);
    expect(parsed()[0]).not.toHaveProperty('_aws');
  });
});

describe('the lines', () => {
  afterEach(() => vi.unstubAllEnvs());

  it.each([undefined, 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1'])(
    'have the fields of powertools’ logger, in its order and formats (trace %s)',
    (trace) => {
      vi.stubEnv('_X_AMZN_TRACE_ID', trace);
      const theirs: string[] = [];
      const write = vi.spyOn(console, 'warn').mockImplementation((line: string) => void theirs.push(line));
      vi.stubEnv('POWERTOOLS_DEV', 'true');
      new Logger({ serviceName: 'authorize-request' }).warn('authentication error: certificate expired');
      write.mockRestore();
      const reference: Line = JSON.parse(theirs[0] ?? '');
      report().denied(
        certificate,
        { ...suspended, message: 'certificate expired' },
        Date.parse(String(reference.timestamp)),
      );
      const basic = Object.entries(parsed()[0] ?? {}).slice(0, Object.keys(reference).length);
      expect(basic).toEqual(Object.entries(reference));
      expect(Object.keys(reference).length).toBeGreaterThanOrEqual(5);
    },
  );
});
