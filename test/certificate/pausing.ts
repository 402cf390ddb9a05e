/** Stops a use case at its n-th await on the world and does something else there, as another request would. */
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { expect } from 'vitest';
import type { IssuingWorld } from '../../src/certificate/issue.ts';

export interface Pause {
  readonly world: IssuingWorld;
  /** Whether the n-th await was reached. */
  readonly reached: () => boolean;
  /** Whether a transaction had been answered when it was. */
  readonly written: () => boolean;
}

/** Awaits are counted before and after each call of the tables and of the signer, from 0. */
export const pausing = (world: IssuingWorld, at: number, meanwhile: () => Promise<unknown>): Pause => {
  let count = 0;
  let answered = false;
  let writtenThen = false;
  const step = async (): Promise<void> => {
    if (count++ !== at) return;
    writtenThen = answered;
    await meanwhile();
  };
  const send: IssuingWorld['documents']['send'] = async (command: unknown) => {
    await step();
    const result = await Reflect.apply(world.documents.send, world.documents, [command]);
    if (command instanceof TransactWriteCommand) answered = true;
    await step();
    return result;
  };
  const documents = new Proxy(world.documents, {
    get: (target, name) => (name === 'send' ? send : Reflect.get(target, name)),
  });
  const sign: IssuingWorld['sign'] = async (order) => {
    await step();
    const signed = await world.sign(order);
    await step();
    return signed;
  };
  return { world: { ...world, documents, sign }, reached: () => count > at, written: () => writtenThen };
};

/**
 * Runs `attempt` once for every await that it has, and once undisturbed. Fewer awaits than `fewest` would mean that the
 * use case changed and is no longer stopped where it should be.
 */
export const atEveryAwait = async (fewest: number, attempt: (at: number) => Promise<Pause>): Promise<void> => {
  let at = 0;
  while ((await attempt(at)).reached()) at += 1;
  expect(at, 'awaits').toBeGreaterThanOrEqual(fewest);
};
