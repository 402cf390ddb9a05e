/** One holder at a time, a number that only grows, and a holder that learns in time that it is over. */
import { randomBytes } from 'node:crypto';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, expect, test } from 'vitest';
import { LeaseHeld } from '../src/errors.ts';
import { acquireLease, assertLease, clockSkew_ms, releaseLease, wantLease } from '../src/lease.ts';
import { controlKeys, tableName } from '../src/names.ts';
import type { World } from '../src/world.ts';
import { justBefore, losingAnswers } from './aws/sending.ts';
import { describeWithEmulator } from './emulator.ts';
import { makeDeployment } from './principal/deployment.ts';
import { testAuthor } from './stamps.ts';

describeWithEmulator('a lease', (emulator) => {
  let world: World;
  beforeAll(async () => {
    world = (await makeDeployment(emulator)).world;
  });
  const later = (ms: number): World => ({ ...world, now: () => Date.now() + ms });
  /** As a hand at the console does it. */
  const edit = (thing: string, values: Record<string, unknown>) => {
    const fields = Object.entries(values);
    return world.documents.send(
      new UpdateCommand({
        TableName: tableName(world.deployment, 'controls'),
        Key: { control_id: controlKeys.lease(thing) },
        UpdateExpression: `SET ${fields.map((_, i) => `#n${i} = :v${i}`).join(', ')}`,
        ExpressionAttributeNames: Object.fromEntries(fields.map(([name], i) => [`#n${i}`, name])),
        ExpressionAttributeValues: Object.fromEntries(fields.map(([, value], i) => [`:v${i}`, value])),
      }),
    );
  };
  const anything = (): string => `thing-${randomBytes(4).toString('hex')}`;
  const options = { holder: 'someone', ttl_ms: 60_000 };

  test('is refused to others, and to the same function run twice, until it is released', async () => {
    const thing = anything();
    const lease = await acquireLease(world, testAuthor, thing, options);
    await expect(acquireLease(world, testAuthor, thing, options)).rejects.toThrow(LeaseHeld);
    await releaseLease(world, testAuthor, lease);
    const next = await acquireLease(world, testAuthor, thing, options);
    expect(next.fence).toBe(lease.fence + 1);
  });

  test('of many that want it at once goes to one', async () => {
    const thing = anything();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => acquireLease(world, testAuthor, thing, options)),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(LeaseHeld);
  });

  test('of a holder that died goes on, but not before clocks that differ agree that it is over', async () => {
    const thing = anything();
    const lost = await acquireLease(world, testAuthor, thing, options);
    await expect(
      acquireLease(later(options.ttl_ms + clockSkew_ms - 1_000), testAuthor, thing, options),
    ).rejects.toThrow(LeaseHeld);
    const taken = await acquireLease(later(options.ttl_ms + clockSkew_ms + 1_000), testAuthor, thing, options);
    expect(taken.fence).toBeGreaterThan(lost.fence);
    await expect(assertLease(world, lost, { needs_ms: 0 })).rejects.toThrow(/was lost/);
    await releaseLease(world, testAuthor, lost);
    await assertLease(world, taken, { needs_ms: options.ttl_ms / 2 });
  });

  test('stops a step that could outlast it', async () => {
    const lease = await acquireLease(world, testAuthor, anything(), options);
    await assertLease(world, lease, { needs_ms: 30_000 });
    await expect(assertLease(later(40_000), lease, { needs_ms: 30_000 })).rejects.toThrow(/30000 are needed/);
  });

  test('wanted by an emergency stops its holder and goes to nobody else', async () => {
    const thing = anything();
    const lease = await acquireLease(world, testAuthor, thing, options);
    await wantLease(world, testAuthor, thing);
    await expect(assertLease(world, lease, { needs_ms: 0 })).rejects.toThrow(/an emergency wants/);
    await releaseLease(world, testAuthor, lease);
    await expect(acquireLease(world, testAuthor, thing, options)).rejects.toThrow(/an emergency wants/);
    const emergency = await acquireLease(world, testAuthor, thing, { ...options, emergency: true });
    await assertLease(world, emergency, { needs_ms: 0 });
    await releaseLease(world, testAuthor, emergency);
    await acquireLease(world, testAuthor, thing, options);
  });

  test('may be wanted before anyone ever held it', async () => {
    const thing = anything();
    await wantLease(world, testAuthor, thing);
    await expect(acquireLease(world, testAuthor, thing, options)).rejects.toThrow(LeaseHeld);
  });

  test('is held by whoever asked, also when the answer was lost and the request repeated', async () => {
    const thing = anything();
    // The first makes the row, the second changes it.
    for (const fence of [1, 2]) {
      const lease = await acquireLease(losingAnswers(world), testAuthor, thing, options);
      expect(lease.fence).toBe(fence);
      await assertLease(world, lease, { needs_ms: 0 });
      await releaseLease(losingAnswers(world), testAuthor, lease);
      await expect(assertLease(world, lease, { needs_ms: 0 })).rejects.toThrow(/was lost/);
    }
    await wantLease(losingAnswers(world), testAuthor, thing);
    await expect(acquireLease(world, testAuthor, thing, options)).rejects.toThrow(/an emergency wants/);
  });

  test('is held by whoever asked, also when an emergency came to want it before the request was repeated', async () => {
    const thing = anything();
    let wanted = false;
    const between = async () => {
      if (!wanted) await wantLease(world, testAuthor, thing);
      wanted = true;
    };
    const lease = await acquireLease(losingAnswers(world, between), testAuthor, thing, options);
    await expect(assertLease(world, lease, { needs_ms: 0 })).rejects.toThrow(/an emergency wants/);
    await releaseLease(world, testAuthor, lease);
    const next = await acquireLease(world, testAuthor, thing, { ...options, emergency: true });
    expect(next.fence).toBe(lease.fence + 1);
  });

  test('is wanted, and given back, also when the other happens just before', async () => {
    const thing = anything();
    const lease = await acquireLease(world, testAuthor, thing, options);
    await wantLease(
      justBefore(world, () => releaseLease(world, testAuthor, lease)),
      testAuthor,
      thing,
    );
    await expect(acquireLease(world, testAuthor, thing, options)).rejects.toThrow(/an emergency wants/);
    const second = await acquireLease(world, testAuthor, thing, { ...options, emergency: true });
    await releaseLease(
      justBefore(world, () => wantLease(world, testAuthor, thing)),
      testAuthor,
      second,
    );
    await expect(assertLease(world, second, { needs_ms: 0 })).rejects.toThrow(/was lost/);
    await expect(acquireLease(world, testAuthor, thing, options)).rejects.toThrow(/an emergency wants/);
  });

  test.each([
    ['taken', { holder: 'by-hand', expires_at: Date.now() + 120_000 }, /by-hand is changing/],
    ['wanted', { wanted: true }, /an emergency wants/],
  ])(
    'goes to nobody who read it before it was %s by hand, which leaves its row_version alone',
    async (_how, values, refusal) => {
      const thing = anything();
      await releaseLease(world, testAuthor, await acquireLease(world, testAuthor, thing, options));
      const meanwhile = () => edit(thing, values);
      await expect(acquireLease(justBefore(world, meanwhile), testAuthor, thing, options)).rejects.toThrow(refusal);
    },
  );

  test('is not given back for one who took it by hand meanwhile', async () => {
    const thing = anything();
    const lease = await acquireLease(world, testAuthor, thing, options);
    const meanwhile = () => edit(thing, { holder: 'by-hand' });
    await releaseLease(justBefore(world, meanwhile), testAuthor, lease);
    await expect(acquireLease(world, testAuthor, thing, options)).rejects.toThrow(/by-hand is changing/);
  });

  test('goes on from a row that was typed by hand, its number from what stands there', async () => {
    const thing = anything();
    await edit(thing, { fence: 7, row_version: 'x', stamp: 'y' });
    const lease = await acquireLease(world, testAuthor, thing, options);
    expect(lease.fence).toBe(8);
    await releaseLease(world, testAuthor, lease);
    const other = anything();
    await edit(other, { holder: 'nobody any more' });
    expect((await acquireLease(world, testAuthor, other, options)).fence).toBe(1);
  });
});
