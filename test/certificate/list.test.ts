import { randomBytes } from 'node:crypto';
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, expect, it } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import { expiryBucket } from '../../src/certificate/expiry.ts';
import { getCertificate } from '../../src/certificate/get-certificate.ts';
import { type CertificatesQuery, listCertificates, type Place } from '../../src/certificate/list-certificates.ts';
import { certificatesQuerySchema, certificatesToken } from '../../src/certificate/list-query.ts';
import { newSerial } from '../../src/certificate/serial.ts';
import { InvalidInput, NotAllowed, NotFound } from '../../src/errors.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';

const day = 86_400_000;

describeWithEmulator('listing certificates', (emulator) => {
  let d: TestDeployment;
  let admin: Caller;
  const now = Date.now();
  const written: { serial: string; expires_at: number; revoked: boolean }[] = [];

  const write = async (principal_id: string, expires_at: number, more: Record<string, unknown> = {}) => {
    const serial_number = newSerial(now, (size) => randomBytes(size));
    await d.put('certificates', {
      serial_number,
      principal_id,
      issued_at: now - day,
      expires_at,
      expiry_bucket: expiryBucket(expires_at, serial_number),
      revoked: false,
      generation: 0,
      fingerprint: 'f',
      public_key_sha256: 'k',
      ...more,
    });
    return serial_number;
  };

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    admin = await d.enrol('admin-bootstrap', 'admin');
    for (let n = 0; n < 60; n += 1) {
      const expires_at = now + Math.floor(((n - 5) * day) / 1.1) + 60_000;
      const revoked = n % 7 === 0;
      written.push({
        serial: await write('fleet', expires_at, revoked ? { revoked, revocation_reason: 'superseded' } : {}),
        expires_at,
        revoked,
      });
    }
  });

  const list = (query: Partial<CertificatesQuery>) =>
    listCertificates({ ...d.world, now: () => now }, { caller: admin, reach: 'any', limit: 100, ...query });
  const all = async (query: Partial<CertificatesQuery>) => {
    const serials: string[] = [];
    let after: Place | undefined;
    let pages = 0;
    do {
      // Through the token, as a client pages.
      const page = await list({ ...query, after });
      serials.push(...page.certificates.map(({ serial_number }) => serial_number));
      pages += 1;
      after = page.next && certificatesToken.schema.parse(certificatesToken.write(page.next));
    } while (after !== undefined);
    return { serials, pages };
  };
  const dueWithin = (days: number) =>
    written
      .filter(({ expires_at, revoked }) => !revoked && expires_at > now && expires_at <= now + days * day)
      .map(({ serial }) => serial)
      .sort();

  it.each([1, 7, 30, 397])(
    'finds what expires within %i days, unrevoked and not expired yet, and nothing else',
    async (days) => {
      const { certificates } = await list({ expiring_within_ms: days * day, limit: 1_000 });
      const found = certificates
        .filter(({ principal_id }) => principal_id === 'fleet')
        .map(({ serial_number }) => serial_number);
      expect(found.sort()).toEqual(dueWithin(days));
    },
  );

  it.each([1, 2, 7, 1_000])('pages through it %i at a time, each once', async (limit) => {
    const { serials } = await all({ expiring_within_ms: 30 * day, limit });
    const found = serials.filter((serial) => written.some((one) => one.serial === serial));
    expect(found.sort()).toEqual(dueWithin(30));
  });

  it('reads only the days asked for, by their index', async () => {
    const reads: unknown[] = [];
    const documents = new Proxy(d.world.documents, {
      get: (target, name) =>
        name !== 'send'
          ? Reflect.get(target, name)
          : (command: unknown) => {
              if (command instanceof QueryCommand) reads.push(command.input.IndexName);
              return Reflect.apply(target.send, target, [command]);
            },
    });
    await listCertificates(
      { ...d.world, documents, now: () => now },
      { caller: admin, reach: 'any', limit: 1_000, expiring_within_ms: 2 * day },
    );
    expect(reads).toEqual(Array.from({ length: 12 }, () => 'by_expiry'));
  });

  it('goes on where a page ended though the clock went on', async () => {
    const first = await list({ expiring_within_ms: 30 * day, limit: 3 });
    const later = { ...d.world, now: () => now + 2 * day };
    const rest = await listCertificates(later, {
      caller: admin,
      reach: 'any',
      limit: 1_000,
      expiring_within_ms: 30 * day,
      after: first.next,
    });
    const seen = new Set(first.certificates.map(({ serial_number }) => serial_number));
    for (const { serial_number, expires_at } of rest.certificates) {
      expect(seen).not.toContain(serial_number);
      expect(expires_at).toBeGreaterThan(now + 2 * day);
    }
  });

  it('lists one principal’s in pages, with the status that the gate would give them', async () => {
    const { serials, pages } = await all({ principal_id: 'fleet', limit: 7 });
    expect(serials.sort()).toEqual(written.map(({ serial }) => serial).sort());
    expect(pages).toBeGreaterThan(8);
    const revoked = await all({ principal_id: 'fleet', limit: 2, status: 'revoked' });
    expect(revoked.serials.sort()).toEqual(
      written
        .filter((one) => one.revoked)
        .map(({ serial }) => serial)
        .sort(),
    );
    const expired = await list({ principal_id: 'fleet', status: 'expired' });
    expect(
      expired.certificates.every(({ status, expires_at }) => status === 'expired' && (expires_at ?? 0) <= Date.now()),
    ).toBe(true);
  });

  it('shows rows edited to nonsense as revoked, and never fails', async () => {
    await write('odd', now + day, { revoked: 'no' });
    await write('odd', now + day, { generation: 'x', revoked_at: 'soon', authority: 5 });
    await d.put('certificates', { serial_number: '01ff' });
    const { certificates } = await list({ principal_id: 'odd' });
    expect(certificates).toHaveLength(2);
    for (const one of certificates)
      expect(one).toMatchObject({ status: 'revoked', revocation_reason: 'record invalid' });
    expect(await getCertificate(d.world, { caller: admin, reach: 'any', serial_number: '01ff' })).toEqual({
      serial_number: '01ff',
      status: 'revoked',
      revocation_reason: 'record invalid',
    });
  });

  it('counts certificates of an earlier generation as revoked by the emergency, the exempt ones not', async () => {
    const own = await makeDeployment(emulator);
    const caller = await own.enrol('admin-bootstrap', 'admin');
    const other = await own.enrol('operator-1', 'operator');
    await own.raiseGeneration(1, [caller.serial_number], 'CA compromise');
    const listed = async (principal_id: string) =>
      (await listCertificates(own.world, { caller, reach: 'any', limit: 10, principal_id })).certificates[0];
    expect(await listed('admin-bootstrap')).toMatchObject({ status: 'active' });
    expect(await listed(other.principal_id)).toMatchObject({
      status: 'revoked',
      revocation_reason: 'emergency: CA compromise',
    });
  });

  it('shows callers who reach only themselves their own, and no difference between others’ and none', async () => {
    const worker = await d.enrol('worker-1', 'worker');
    const asWorker = { caller: worker, reach: 'self' } as const;
    expect((await list({ ...asWorker, principal_id: 'worker-1' })).certificates).toHaveLength(1);
    await expect(list({ ...asWorker, principal_id: 'fleet' })).rejects.toThrow(NotAllowed);
    await expect(list({ ...asWorker, expiring_within_ms: day })).rejects.toThrow(NotAllowed);
    const get = (serial_number: string) => getCertificate(d.world, { ...asWorker, serial_number });
    expect(await get(worker.serial_number)).toMatchObject({ status: 'active', principal_id: 'worker-1' });
    const refusals = await Promise.all(
      [admin.serial_number, '01abcdef'].map((serial) => get(serial).catch((error: Error) => error)),
    );
    expect(refusals[0]).toBeInstanceOf(NotAllowed);
    expect(refusals[0]).toEqual(refusals[1]);
    await expect(getCertificate(d.world, { caller: admin, reach: 'any', serial_number: '01abcdef' })).rejects.toThrow(
      NotFound,
    );
  });

  it('reads little for a filter that finds nothing, and goes on where it stopped', async () => {
    for (let n = 0; n < 2_100; n += 100)
      await Promise.all(
        Array.from({ length: 100 }, () => write('gone', now + day, { revoked: true, revocation_reason: 'superseded' })),
      );
    const wanted = await write('gone', now + day, { issued_at: now });
    let reads = 0;
    const documents = new Proxy(d.world.documents, {
      get: (target, name) =>
        name !== 'send'
          ? Reflect.get(target, name)
          : (command: unknown) => {
              if (command instanceof QueryCommand) reads += 1;
              return Reflect.apply(target.send, target, [command]);
            },
    });
    const query = { caller: admin, reach: 'any', principal_id: 'gone', status: 'active', limit: 1 } as const;
    await d.register('gone', 'worker');
    const first = await listCertificates({ ...d.world, documents }, query);
    expect(reads).toBeLessThanOrEqual(20);
    expect(first.certificates).toEqual([]);
    expect(first.next).toBeDefined();
    expect((await all({ principal_id: 'gone', status: 'active', limit: 1 })).serials).toEqual([wanted]);
  });

  it('pages over rows edited to times that no token names', async () => {
    for (const issued_at of [-1, 1.5, 5]) await write('untimely', now + day, { issued_at });
    expect((await all({ principal_id: 'untimely', limit: 1 })).serials).toHaveLength(3);
  });

  it('takes only its own tokens', async () => {
    const { next } = await list({ principal_id: 'fleet', limit: 1 });
    await expect(list({ principal_id: 'other', after: next })).rejects.toThrow(InvalidInput);
    await expect(list({ expiring_within_ms: day, after: next })).rejects.toThrow(InvalidInput);
    await expect(list({})).rejects.toMatchObject({ field: 'principal_id' });
  });
});

it.each([
  [{ expiring_within: '0d' }],
  [{ expiring_within: '398d' }],
  [{ expiring_within: '30' }],
  [{ expiring_within: '-1d' }],
  [{ limit: '0' }],
  [{ limit: '1001' }],
  [{ limit: '1e3' }],
  [{ status: 'gone' }],
  [{ next_token: 'garbage' }],
  [{ next_token: Buffer.from('["certificates",{"principal_id":"a"}]').toString('base64url') }],
  ...[
    { principal_id: 'a', issued_at: 1e200, serial_number: '01aa' },
    { principal_id: 'a', issued_at: 5e-324, serial_number: '01aa' },
    { principal_id: 'a', issued_at: 1, serial_number: '' },
    { principal_id: 'a', issued_at: 1, serial_number: '01'.repeat(600) },
    { expiry_bucket: '2030-01-01#0', expires_at: -1, serial_number: '01aa' },
    { expiry_bucket: '2030-01-01#0', expires_at: 8.64e15 + 1, serial_number: '01aa' },
  ].map((place): [{ next_token: string }] => [
    { next_token: Buffer.from(JSON.stringify(['certificates', place])).toString('base64url') },
  ]),
  [{ unknown: '1' }],
  [{ principal_id: '../x' }],
])('a listing asked for with %o is refused', (query) => {
  expect(certificatesQuerySchema.safeParse(query).success).toBe(false);
});

it('a listing is asked for in days or hours, a hundred at a time, its status in any case', () => {
  expect(certificatesQuerySchema.parse({ expiring_within: '30d', status: 'Active' })).toEqual({
    expiring_within: 30 * day,
    status: 'active',
    limit: 100,
  });
  expect(certificatesQuerySchema.parse({ expiring_within: '24h' }).expiring_within).toBe(day);
});
