/** Writes of audited rows: stamped, only over what was read, whatever was typed into it, and safe to repeat. */
import { DynamoDBClient, PutItemCommand, TransactionConflictException } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AttributeValue, Image } from '../../src/audit/attribute.ts';
import type { Author } from '../../src/audit/stamp.ts';
import type { Change } from '../../src/aws/change.ts';
import { removeRow, type Step, transact, writeRow } from '../../src/aws/transact.ts';
import { type Row, unchanged } from '../../src/aws/unchanged.ts';
import { untilSettled } from '../../src/aws/until-settled.ts';
import { Conflict } from '../../src/errors.ts';
import { tableName } from '../../src/names.ts';
import type { World } from '../../src/world.ts';
import { makeDeployment, type TestDeployment } from '../certificate/deployment.ts';
import { describeWithEmulator } from '../emulator.ts';
import { isWrite, losingAnswers, sending } from './sending.ts';
import { watched } from './watched.ts';

const author: Author = { actor: 'admin-1', request_id: 'request-1' };

describeWithEmulator('a write of an audited row', (emulator) => {
  let d: TestDeployment;
  let run = 0;
  let client: DynamoDBClient;
  beforeAll(async () => {
    d = await makeDeployment(emulator);
    client = emulator.client(DynamoDBClient);
  });
  const fresh = (): string => `worker-${run++}`;
  const read = (key: string): Promise<Row | undefined> => d.row('principals', key);
  const change = (key: string, row: Row | undefined, more: Partial<Change> = {}): Change => ({
    table: 'principals',
    key,
    row,
    action: 'principal_changed',
    ...more,
  });
  const make = async (): Promise<{ key: string; row: Row }> => {
    const key = fresh();
    expect(await writeRow(d.world, author, change(key, undefined, { set: { status: 'active' } }))).toBe('done');
    const row = await read(key);
    if (row === undefined) throw new Error('nothing was made');
    return { key, row };
  };
  const type = (key: string, values: Readonly<Record<string, AttributeValue>>) =>
    client.send(
      new PutItemCommand({
        TableName: tableName(d.world.deployment, 'principals'),
        Item: { principal_id: { S: key }, status: { S: 'active' }, ...values },
      }),
    );
  /** By either way: by itself, or as a step of a transaction. */
  const ways = [
    ['by itself', writeRow],
    ['in a transaction', (world: World, by: Author, step: Change) => transact(world, by, [step])],
  ] as const;

  describe.each(ways)('%s', (_way, write) => {
    it('makes a row, then changes it, each time as the audit expects', async () => {
      const { world, writes, image } = watched(d.world, client);
      const key = fresh();
      const set = {
        status: 'active',
        numbers: [1, 0.1 + 0.2, 1e21 / 1e6],
        nested: { a: null },
        names: new Set(['b', 'a']),
      };
      expect(await write(world, author, change(key, undefined, { set: { ...set, left_out: undefined } }))).toBe('done');
      const row = await read(key);
      expect(row).toEqual({ principal_id: key, ...set, row_version: 1, stamp: expect.any(Object) });
      const more = { set: { status: 'suspended', reason: 'why' }, remove: ['names', 'never_there'] };
      expect(await write(world, author, change(key, row, more))).toBe('done');
      expect(await image({ table: 'principals', key })).toMatchObject({
        row_version: { N: '2' },
        stamp: { M: { actor: { S: 'admin-1' }, request_id: { S: 'request-1' }, action: { S: 'principal_changed' } } },
      });
      expect(await read(key)).not.toHaveProperty('names');
      expect(writes.map(({ draft }) => draft)).toMatchObject([
        { action: 'principal_changed', details: { changes: [{ created: true, version: 1 }] } },
        { action: 'principal_changed', details: { changes: [{ set: { status: 'suspended' }, removed: ['names'] }] } },
      ]);
    });

    it('that only says that it happened is one, too', async () => {
      const { key, row } = await make();
      expect(await write(d.world, author, change(key, row))).toBe('done');
      expect(await read(key)).toMatchObject({ status: 'active', row_version: 2 });
    });

    it('does not write over a row that was written since it was read, or made meanwhile', async () => {
      const { key, row } = await make();
      expect(await write(d.world, author, change(key, row, { set: { status: 'first' } }))).toBe('done');
      expect(await write(d.world, author, change(key, row, { set: { status: 'second' } }))).toBe('again');
      expect(await write(d.world, author, change(key, undefined, { set: { status: 'third' } }))).toBe('again');
      expect(await read(key)).toMatchObject({ status: 'first', row_version: 2 });
    });

    it('does not make a row again that was deleted since it was read', async () => {
      const { key, row } = await make();
      await d.remove('principals', key);
      expect(await write(d.world, author, change(key, row, { set: { status: 'x' } }))).toBe('again');
      expect(await read(key)).toBeUndefined();
      await type(key, {});
      await d.remove('principals', key);
      expect(await write(d.world, author, change(key, { principal_id: key }, { set: { status: 'x' } }))).toBe('again');
      expect(await read(key)).toBeUndefined();
    });

    it('refuses by the error that it stands for', async () => {
      const { key } = await make();
      const otherwise = new Conflict('taken');
      await expect(write(d.world, author, change(key, undefined, { otherwise }))).rejects.toBe(otherwise);
    });

    it('sees a break-glass edit, which leaves row_version alone, of what it is conditional on, and of nothing else', async () => {
      const { key, row } = await make();
      await d.edit('principals', key, { suspended_reason: 'Emergency' });
      const condition = unchanged(row, ['status', 'suspended_at']);
      expect(await write(d.world, author, change(key, row, { set: { a: 1 }, condition }))).toBe('done');
      const again = await read(key);
      await d.edit('principals', key, { suspended_at: 5 });
      const next = change(key, again, { set: { a: 2 }, condition: unchanged(again ?? {}, ['status', 'suspended_at']) });
      expect(await write(d.world, author, next)).toBe('again');
      expect(await read(key)).toMatchObject({ a: 1, suspended_at: 5, row_version: 2 });
    });

    it.each<Image>([
      {},
      { row_version: { N: '0' } },
      { row_version: { N: '-1' } },
      { row_version: { N: '1.5' } },
      { row_version: { N: '4.0000000000000000001' } },
      { row_version: { N: '0.1000000000000000000000000000000000001' } },
      { row_version: { N: '9007199254740991' } },
      { row_version: { N: '4503599627370495.9999999' } },
      { row_version: { N: '-10000000000000000000000' } },
      { row_version: { N: '1e40' } },
      { row_version: { N: '9.9e125' } },
      { row_version: { N: '1e-130' } },
      { row_version: { S: '1' } },
      { row_version: { S: '' } },
      { row_version: { NULL: true } },
      { row_version: { BOOL: true } },
      { row_version: { B: Uint8Array.of(1, 2) } },
      { row_version: { L: [{ N: '1e40' }] } },
      { row_version: { L: [] } },
      { row_version: { M: { a: { N: '1e40' } } } },
      { row_version: { SS: ['a', 'b'] } },
      { row_version: { NS: ['1e40', '1'] } },
      { row_version: { BS: [Uint8Array.of(1)] } },
      { stamp: { S: 'x' } },
      { stamp: { M: { a: { N: '1e40' } } }, row_version: { N: '3' } },
      { stamp: { L: [] } },
    ])('is stopped by nothing that was typed into row_version or stamp: %j', async (typed) => {
      const key = fresh();
      await type(key, typed);
      const { world, writes } = watched(d.world, client);
      for (const status of ['one', 'two'])
        expect(await write(world, author, change(key, await read(key), { set: { status } }))).toBe('done');
      expect(await read(key)).toMatchObject({ status: 'two' });
      expect(writes.map(({ draft }) => draft?.action)).toEqual(['principal_changed', 'principal_changed']);
    });

    it('is not written at all without the key of the stamps', async () => {
      const key = fresh();
      const stampKey = async () => {
        throw new Error('KMS is away');
      };
      await expect(write({ ...d.world, stampKey }, author, change(key, undefined))).rejects.toThrow('KMS is away');
      expect(await read(key)).toBeUndefined();
    });
  });

  it('whose answer was lost, and which is sent again, is done', async () => {
    const key = fresh();
    const world = losingAnswers(d.world);
    expect(await writeRow(world, author, change(key, undefined, { set: { status: 'one' } }))).toBe('done');
    expect(await writeRow(world, author, change(key, await read(key), { set: { status: 'two' } }))).toBe('done');
    expect(await read(key)).toMatchObject({ status: 'two', row_version: 2 });
  });

  it('by itself that meets a transaction is tried again', async () => {
    const { key, row } = await make();
    const conflict = new TransactionConflictException({ message: 'ongoing', $metadata: {} });
    const world = sending(d.world, async (command, send) => {
      if (isWrite(command)) throw conflict;
      return send();
    });
    expect(await writeRow(world, author, change(key, row))).toBe('again');
    expect(await removeRow(world, author, { table: 'principals', key, row, action: 'principal_deleted' })).toBe(
      'again',
    );
  });

  it('of many at once is done by each in its turn, none over another', async () => {
    const { key } = await make();
    const add = (n: number) =>
      untilSettled(d.world, async () => {
        const row = await read(key);
        return writeRow(d.world, author, change(key, row, { set: { [`of_${n}`]: n } }));
      });
    await Promise.all([1, 2, 3, 4].map(add));
    expect(await read(key)).toMatchObject({ of_1: 1, of_2: 2, of_3: 3, of_4: 4, row_version: 5 });
  });

  describe('in a transaction with others', () => {
    const is = (key: string, status: string, otherwise: Error | 'again' = 'again'): Step => ({
      item: {
        ConditionCheck: {
          TableName: tableName(d.world.deployment, 'principals'),
          Key: { principal_id: key },
          ConditionExpression: '#status = :status',
          ExpressionAttributeNames: { '#status': 'status' },
          ExpressionAttributeValues: { ':status': status },
        },
      },
      otherwise,
    });

    it('is written with all of them, or with none; the first that fails says why', async () => {
      const [one, two] = [await make(), await make()];
      const refusal = new Conflict('not so');
      const set = { set: { status: 'both' } };
      const key = fresh();
      const steps = [change(one.key, one.row, set), change(key, undefined, set)];
      await expect(transact(d.world, author, [...steps, is(two.key, 'other', refusal)])).rejects.toBe(refusal);
      expect(await read(key)).toBeUndefined();
      expect(await read(one.key)).toMatchObject({ status: 'active', row_version: 1 });
      const stale = change(two.key, { ...two.row, row_version: 7 });
      expect(await transact(d.world, author, [...steps, stale])).toBe('again');
      expect(await transact(d.world, author, [...steps, is(two.key, 'active')])).toBe('done');
      expect(await read(one.key)).toMatchObject({ status: 'both', row_version: 2 });
      expect(await read(key)).toMatchObject({ status: 'both', row_version: 1 });
    });

    it('is stamped anew by each attempt, over what that one read', async () => {
      const { key } = await make();
      const sent: unknown[] = [];
      const { world, writes } = watched(
        sending(d.world, async (command, send) => {
          if (command instanceof TransactWriteCommand)
            sent.push(command.input.TransactItems?.[0]?.Update?.ExpressionAttributeValues);
          return send();
        }),
        client,
      );
      let clock = Date.now();
      let attempts = 0;
      await untilSettled(world, async () => {
        const row = await read(key);
        attempts += 1;
        clock += 1;
        if (attempts === 1) await writeRow(d.world, author, change(key, row, { set: { meanwhile: true } }));
        const at = clock;
        return transact({ ...world, now: () => at }, author, [change(key, row, { set: { status: 'mine' } })]);
      });
      expect(attempts).toBe(2);
      expect(sent).toHaveLength(2);
      const stamps = sent.map((values) => Object.values(Object(values)).find((value) => Object(value).mac));
      expect(new Set(stamps.map((stamp) => Object(stamp).mac)).size).toBe(2);
      expect(stamps.map((stamp) => Object(stamp).at)).toEqual([clock - 1, clock]);
      expect(writes.map(({ draft }) => draft?.action)).toEqual(['principal_changed']);
      expect(await read(key)).toMatchObject({ meanwhile: true, status: 'mine', row_version: 3 });
    });
  });

  describe('that removes it', () => {
    const remove = (world: World, { key, row }: { key: string; row: Row }, more: object = {}) =>
      removeRow(world, author, { table: 'principals', key, row, action: 'principal_deleted', ...more });
    /** Dies before the n-th write. */
    const dyingBefore = (world: World, n: number): World => {
      let count = 0;
      return sending(world, async (command, send) => {
        if (isWrite(command) && count++ === n) throw new Error('the process died');
        return send();
      });
    };

    it('is known for what it is, and the stamp before it makes no entry', async () => {
      const made = await make();
      const { world, writes } = watched(d.world, client);
      expect(await remove(world, made)).toBe('done');
      expect(await read(made.key)).toBeUndefined();
      expect(writes.map(({ draft }) => draft && [draft.action, draft.actor, draft.request_id])).toEqual([
        null,
        ['principal_deleted', 'admin-1', 'request-1'],
      ]);
    });

    it('needs of the row as read no more than its row_version', async () => {
      const { key } = await make();
      expect(await remove(d.world, { key, row: { row_version: 1 } })).toBe('done');
      expect(await read(key)).toBeUndefined();
    });

    it('is done by doing it again when it was cut off after the stamp, once and as the product’s own', async () => {
      const made = await make();
      const { world, writes } = watched(d.world, client);
      await expect(remove(dyingBefore(world, 1), made)).rejects.toThrow('died');
      const left = await read(made.key);
      expect(left).toMatchObject({ status: 'active', row_version: 2, stamp: { action: 'principal_deleted' } });
      // What it read the first time is no longer so.
      expect(await remove(world, made)).toBe('again');
      expect(await remove(world, { key: made.key, row: left ?? {} })).toBe('done');
      expect(await read(made.key)).toBeUndefined();
      expect(writes.map(({ draft }) => draft?.action ?? null)).toEqual([null, null, 'principal_deleted']);
    });

    it('changes nothing when it is cut off before the stamp', async () => {
      const made = await make();
      await expect(remove(dyingBefore(d.world, 0), made)).rejects.toThrow('died');
      expect(await read(made.key)).toEqual(made.row);
    });

    it('after which the row lives on when it is written again, and then is not deleted by that stamp', async () => {
      const made = await make();
      await expect(remove(dyingBefore(d.world, 1), made)).rejects.toThrow('died');
      await writeRow(d.world, author, change(made.key, await read(made.key), { set: { status: 'kept' } }));
      expect(await remove(d.world, made)).toBe('again');
      expect(await read(made.key)).toMatchObject({ status: 'kept', row_version: 3 });
    });

    it.each([
      [
        'changed',
        (key: string, row: Row | undefined) => writeRow(d.world, author, change(key, row, { set: { a: 1 } })),
      ],
      [
        'being removed by another',
        (key: string, row: Row | undefined) => remove(dyingBefore(d.world, 1), { key, row: row ?? {} }),
      ],
    ])('stops where the row was %s between its stamp and its end', async (_what, meanwhile) => {
      const made = await make();
      const world = sending(d.world, async (command, send) => {
        if (command instanceof DeleteCommand) await meanwhile(made.key, await read(made.key)).catch(() => undefined);
        return send();
      });
      expect(await remove(world, made)).toBe('again');
      expect(await read(made.key)).toMatchObject({ row_version: 3 });
      expect(await remove(d.world, { key: made.key, row: (await read(made.key)) ?? {} })).toBe('done');
    });

    it('is done when another did it meanwhile, also behind the product’s back', async () => {
      const made = await make();
      const world = sending(d.world, async (command, send) => {
        if (command instanceof DeleteCommand) await d.remove('principals', made.key);
        return send();
      });
      expect(await remove(world, made)).toBe('done');
      expect(await read(made.key)).toBeUndefined();
      expect(await remove(d.world, made)).toBe('again');
      expect(await read(made.key)).toBeUndefined();
    });

    it('of two at once happens once', async () => {
      const made = await make();
      const { world, writes } = watched(d.world, client);
      const outcomes = await Promise.all([remove(world, made), remove(world, made)]);
      expect(outcomes).toContain('done');
      expect(writes.filter(({ draft }) => draft !== null)).toHaveLength(1);
      expect(await read(made.key)).toBeUndefined();
    });

    it('sees a break-glass edit of what it is conditional on, before the stamp and after it', async () => {
      const made = await make();
      const condition = unchanged(made.row, ['status']);
      const edit = () => d.edit('principals', made.key, { status: 'suspended' });
      const world = sending(d.world, async (command, send) => {
        if (command instanceof DeleteCommand) await edit();
        return send();
      });
      expect(await remove(world, made, { condition })).toBe('again');
      const row = (await read(made.key)) ?? {};
      expect(row).toMatchObject({ status: 'suspended', row_version: 2 });
      expect(await remove(d.world, { key: made.key, row }, { condition })).toBe('again');
      expect(await remove(d.world, { key: made.key, row }, { condition: unchanged(row, ['status']) })).toBe('done');
    });

    it('whose answers were lost is done', async () => {
      const made = await make();
      expect(await remove(losingAnswers(d.world), made)).toBe('done');
      expect(await read(made.key)).toBeUndefined();
    });
  });
});
