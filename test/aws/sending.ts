/** Worlds whose commands to the tables meet something on their way. */
import { DeleteCommand, PutCommand, TransactWriteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { World } from '../../src/world.ts';

/** Passes each command on as `through` has it. */
export const sending = <W extends World>(
  world: W,
  through: (command: unknown, send: () => Promise<unknown>) => Promise<unknown>,
): W => ({
  ...world,
  documents: new Proxy(world.documents, {
    get: (target, name) =>
      name === 'send'
        ? (command: unknown) => through(command, () => Reflect.apply(target.send, target, [command]))
        : Reflect.get(target, name),
  }),
});

export const isWrite = (command: unknown): boolean =>
  [PutCommand, UpdateCommand, DeleteCommand, TransactWriteCommand].some((kind) => command instanceof kind);

/** As the SDK does when an answer was lost: each write is sent a second time. What happens `between` the two? */
export const losingAnswers = <W extends World>(world: W, between: () => Promise<unknown> = async () => undefined): W =>
  sending(world, async (command, send) => {
    if (isWrite(command)) {
      await send();
      await between();
    }
    return send();
  });

/** Something happens before the first write is sent. */
export const justBefore = <W extends World>(world: W, meanwhile: () => Promise<unknown>): W => {
  let met = false;
  return sending(world, async (command, send) => {
    if (isWrite(command) && !met) {
      met = true;
      await meanwhile();
    }
    return send();
  });
};
