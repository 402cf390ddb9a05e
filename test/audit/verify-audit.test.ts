/** A verification that a caller waits for, and one that goes on without the caller. */
import { beforeAll, expect, it } from 'vitest';
import { emptyChain, growChain, type StoredRow } from '../../bench/audit-chain.ts';
import type { Verdict } from '../../src/audit/verification.ts';
import { verificationSchema } from '../../src/audit/verification.ts';
import { type Run, verificationIdSchema, verifyAudit, type WaitingWorld } from '../../src/audit/verify-audit.ts';
import { continueChain } from '../../src/audit/verify-chain.ts';
import { testStampKey } from '../stamps.ts';
import { type Bucket, bucketOf, deployment, headAt, worldOf } from './memory.ts';

const rows: StoredRow[] = [];
let bucket: Bucket = new Map();
let entered = 0;

beforeAll(async () => {
  let position = emptyChain;
  for (const batch of growChain({ deployment, stampKey: testStampKey }, emptyChain, 50)) {
    rows.push(...batch.rows);
    ({ position } = batch);
  }
  bucket = bucketOf([await headAt(position)]);
  entered = position.appended_at;
});

/** A world whose clock goes on by `tick` ms whenever somebody looks, and a state machine that only remembers. */
const waiting = (tick: number) => {
  const started = new Map<string, unknown>();
  const ended = new Map<string, Run>();
  const reports: Verdict[] = [];
  let now = entered;
  const world: WaitingWorld = {
    ...worldOf(rows, bucket, { pageRows: 10, now: () => (now += tick) }),
    runs: {
      start: async (name, input) => {
        started.set(name, JSON.parse(JSON.stringify(input)));
      },
      find: async (name) => {
        const input = started.get(name);
        return ended.get(name) ?? (input === undefined ? null : { status: 'running', input });
      },
    },
    report: (verdict) => reports.push(verdict),
  };
  return { world, started, ended, reports };
};

it('answers at once what can be found at once, and reports it', async () => {
  const { world, started, reports } = waiting(1);
  const answered = await verifyAudit(world, { since_head: false });
  expect(answered).toMatchObject({ verdict: { is_valid: true, total_entries: 50, checked_from: 1 } });
  expect(await verifyAudit(world, { since_head: true })).toMatchObject({ verdict: { checked_from: 51 } });
  expect(reports).toHaveLength(2);
  expect(started.size).toBe(0);
});

it('goes on in the background where it takes longer, from where it was', async () => {
  const { world, started, ended, reports } = waiting(7_000);
  const answered = await verifyAudit(world, { since_head: false });
  if (!('running' in answered)) throw new Error('it was not answered');
  const { verification_id, checked_entries } = answered.running;
  expect(verificationIdSchema.safeParse(verification_id).success).toBe(true);
  expect(checked_entries).toBeGreaterThan(0);
  expect(checked_entries).toBeLessThan(50);
  expect(await verifyAudit(world, { since_head: false, verification_id })).toEqual(answered);

  // As the function of the state machine does.
  const { state } = started.get(verification_id) as { state: unknown };
  const { verdict } = await continueChain(world, verificationSchema.parse(state), 1e9);
  ended.set(verification_id, { status: 'succeeded', output: JSON.parse(JSON.stringify(verdict)) });
  expect(await verifyAudit(world, { since_head: false, verification_id })).toMatchObject({
    verdict: { is_valid: true, total_entries: 50, checked_from: 1 },
  });
  expect(reports).toEqual([]);
});

it('tells a verification that failed from one that never was', async () => {
  const { world, started, ended } = waiting(7_000);
  const verification_id = '1-0123456789abcdef';
  const ask = () => verifyAudit(world, { since_head: false, verification_id });
  await expect(ask()).rejects.toMatchObject({ name: 'NotFound', field: 'verification_id' });
  started.set(verification_id, {});
  expect(await ask()).toEqual({ running: { verification_id, checked_entries: 0 } });
  ended.set(verification_id, { status: 'failed' });
  await expect(ask()).rejects.toMatchObject({ name: 'Unavailable' });
  await expect(verifyAudit(world, { since_head: true, verification_id })).rejects.toMatchObject({
    name: 'InvalidInput',
    field: 'since_head',
  });
});

it.each(['', 'x', '1-2', '1-0123456789ABCDEF', '1-0123456789abcdef0', ':1-0123456789abcdef'])(
  'takes no id that it did not give: %s',
  (id) => {
    expect(verificationIdSchema.safeParse(id).success).toBe(false);
  },
);
