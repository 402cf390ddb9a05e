/** One holder at a time, a number that only grows, and a holder that learns in time that it is over. */
import { randomBytes } from 'node:crypto';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, expect, test } from 'vitest';
import { LeaseHeld } from '../src/errors.ts';
import { acquireLease, assertLease, clockSkew_ms, releaseLease, wantLease } from '../src/lease.ts';
import type { World } from '../src/world.ts';
import { describeWithEmulator } from './emulator.ts';
import { makeDeployment } from './principal/deployment.ts';
import { testAuthor } from './stamps.ts';

describeWithEmulator('a lease', (emulator) => {
  let world: World;
  beforeAll(async () => {
    world = (await makeDeployment(emulator)).world;
  });
  const later = (ms: number): World => ({ ...world, now: () => Date.now() + ms });
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
    const documents: World['documents'] = Object.create(world.documents, {
      send: {
        value: async (command: UpdateCommand) => {
          if (command instanceof UpdateCommand) await world.documents.send(command);
          return world.documents.send(command);
        },
      },
    });
    const lease = await acquireLease({ ...world, documents }, testAuthor, anything(), options);
    await assertLease(world, lease, { needs_ms: 0 });
  });
});
