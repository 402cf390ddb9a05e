import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { expiryBucket, expiryBuckets } from '../../src/certificate/expiry.ts';
import { lifetimeOf, lifetimeSchema, renewalOpens, validityFrom } from '../../src/certificate/lifetime.ts';
import { newSerial, serialSchema } from '../../src/certificate/serial.ts';

const day = 86_400_000;
const bytes = (size: number) => randomBytes(size);

it('serial numbers are ordered by time, 80 bits unguessable, and never a negative or padded number', () => {
  const now = Date.parse('2026-11-22T00:00:00Z');
  const serials = [0, 1, 1_000, day].map((later) => newSerial(now + later, bytes));
  expect(serials).toEqual([...serials].sort());
  for (const serial of serials) {
    expect(serial).toMatch(/^01[0-9a-f]{30}$/);
    expect(serialSchema.safeParse(serial).success).toBe(true);
  }
  expect(new Set(Array.from({ length: 1_000 }, () => newSerial(now, bytes))).size).toBe(1_000);
  expect(newSerial(0x0100, bytes)).toMatch(/^01/);
});

it.each(['', '1', '001f', '01FF', '01:ff', '80ff', '01fg', `01${'0'.repeat(40)}`, '01ff/..', '٠١'])(
  'takes %j for no serial number',
  (serial) => expect(serialSchema.safeParse(serial).success).toBe(false),
);

it('says every rule of them, so also the one that was broken', () => {
  for (const rule of [/positive/, /first bit clear/, /20 bytes/, /lower-case hex/, /even length/, /leading zero/])
    expect(serialSchema.safeParse('deadbeef').error?.issues[0]?.message).toMatch(rule);
});

it('takes the runbook’s serial numbers', () => {
  expect(serialSchema.parse('01936d3fa2b17c4e8f5d')).toBe('01936d3fa2b17c4e8f5d');
});

it('a certificate is filed under the UTC day on which it expires, in one of four shards', () => {
  expect(expiryBucket(Date.parse('2026-12-31T23:59:59.999Z'), '01ab')).toBe('2026-12-31#3');
  expect(expiryBucket(Date.parse('2027-01-01T00:00:00Z'), '01a4')).toBe('2027-01-01#0');
});

it('what expires within some days is looked for from today to the last of them', () => {
  const from = Date.parse('2026-12-30T12:00:00Z');
  expect(expiryBuckets(from, from + 2 * day)).toEqual(
    ['2026-12-30', '2026-12-31', '2027-01-01'].flatMap((at) => [0, 1, 2, 3].map((shard) => `${at}#${shard}`)),
  );
  expect(expiryBuckets(from, from)).toHaveLength(4);
});

it('a lifetime survives being written as whole seconds', () => {
  for (const now of [1_795_385_427_856, 1_795_385_427_000, 1_795_385_427_999])
    expect(lifetimeOf(validityFrom(now, 90 * day))).toBe(90 * day);
});

it('renewal opens with the last third', () => {
  const validity = validityFrom(1_795_385_427_000, 90 * day);
  expect(renewalOpens(validity)).toBe(1_795_385_427_000 + 60 * day);
});

it.each([0, 398, 1.5, -1, '90', Number.NaN, null])('takes %j for no lifetime', (days) =>
  expect(lifetimeSchema.safeParse(days).success).toBe(false),
);
