import { randomBytes } from 'node:crypto';
import { GetCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { append } from '../../src/audit/append.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import { type Draft, type Entry, entryBytes, entryHash, entrySchema } from '../../src/audit/entry.ts';
import { rowChangesSchema } from '../../src/audit/row-change.ts';
import { sealEntry } from '../../src/audit/seal.ts';
import type { AuditWorld } from '../../src/audit/world.ts';
import { auditKeys } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeChain, type Step, type TestChain, withEveryFailure } from './chain.ts';

const capacity = z.object({ ConsumedCapacity: z.array(z.object({ CapacityUnits: z.number() })) });

const time = Date.UTC(2026, 10, 23, 8, 0, 0);

/** A change of one row; each of its own request unless it is said whose. */
const draft = (id: string, more: Partial<Draft> & { readonly key?: string } = {}): Draft => {
  const { key = id, ...rest } = more;
  return {
    event_ids: [`stream:${id}`],
    time,
    action: 'principal_suspended',
    actor: 'admin-1',
    request_id: `request-${id}`,
    subject: `principals/${key}`,
    details: { changes: [{ table: 'principals', key, version: 2, set: { status: 'suspended' }, removed: [] }] },
    ...rest,
  };
};
const drafts = (prefix: string, count: number, more: Partial<Draft> = {}): Draft[] =>
  Array.from({ length: count }, (_, index) => draft(`${prefix}-${index}`, more));

const events = (entries: readonly Entry[]): string[] => entries.flatMap(({ event_ids }) => event_ids);
const eventsOf = (all: readonly Draft[]): string[] => all.flatMap(({ event_ids }) => event_ids);

/** Counts a writer's requests by kind. */
const counting = () => {
  const requests: string[] = [];
  const step: Step = (name, go) => {
    requests.push(name);
    return go();
  };
  return { requests, step };
};

describeWithEmulator('appending', (emulator) => {
  let chain: TestChain;
  beforeEach(async () => {
    chain = await makeChain(emulator);
  });
  const seeded = async (count = 5): Promise<AuditWorld> => {
    const world = chain.writer();
    for (let n = 0; n < count; n += 1) await append(world, [draft(`seed-${n}`)]);
    return world;
  };

  it('enters each draft in its order, linked, sealed, with what it completes of the tree', async () => {
    const world = chain.writer();
    const all = drafts('a', 9);
    const { entered, size, hash } = await append(world, all);
    const entries = await chain.entries();
    expect(events(entries)).toEqual(eventsOf(all));
    expect({ entered, size, hash }).toEqual({ entered: 9, size: 9, hash: (await chain.rows()).at(-1)?.hash });
    expect(entries[3]).toEqual({
      ...all[3],
      sequence: 4,
      seal: expect.stringMatching(/^[\w-]{22}$/),
      appended_at: expect.any(Number),
      previous: (await chain.rows())[2]?.hash,
    });
  });

  it('takes one transaction and no read when it is warm', async () => {
    const { requests, step } = counting();
    const world = chain.writer({ step });
    await append(world, [draft('first')]);
    requests.length = 0;
    await append(world, drafts('b', 40));
    expect(requests).toEqual(['TransactWriteCommand']);
    expect(events(await chain.entries())).toHaveLength(41);
  });

  it('finds the end of the chain when it is cold', async () => {
    await seeded(11);
    const world = chain.writer();
    await append(world, [draft('cold')]);
    const entries = await chain.entries();
    expect(entries).toHaveLength(12);
    expect(world.memory.position?.frontier.size).toBe(12);
  });

  it('takes more than one transaction holds', async () => {
    const all = drafts('many', 173);
    expect((await append(chain.writer(), all)).entered).toBe(173);
    expect(events(await chain.entries())).toEqual(eventsOf(all));
  });

  it('never enters later than the entry before, whatever a clock says', async () => {
    let now = time;
    const world = chain.writer({ now: () => now });
    for (const jump of [0, 5_000, -60_000, 1, 100_000, -1]) {
      now += jump;
      await append(world, [draft(`clock-${now}`)]);
    }
    await append(chain.writer({ now: () => 1 }), [draft('cold')]);
    const times = (await chain.entries()).map(({ appended_at }) => appended_at - time);
    expect(times).toEqual([0, 5_000, 5_000, 5_000, 45_001, 45_001, 45_001]);
  });

  it('enters a draft that is too large for an item without its details', async () => {
    await append(chain.writer(), [draft('huge', { details: { text: 'ü'.repeat(400_000) } }), draft('next')]);
    const [huge, next] = await chain.entries();
    expect(huge).toMatchObject({ event_ids: ['stream:huge'], details: { truncated: true } });
    expect(next?.event_ids).toEqual(['stream:next']);
  });

  it('takes many large drafts, more than one transaction may weigh', async () => {
    const all = drafts('large', 30, { details: { text: 'x'.repeat(250_000) } });
    await append(chain.writer(), all);
    expect(events(await chain.entries())).toEqual(eventsOf(all));
  });

  it('keeps every text as it was given', async () => {
    const odd = ['\u0000', '\ud800', '"\\', '😀', '\u2028', 'é'];
    await append(chain.writer(), [draft('odd', { details: { odd, inner: { ['__proto__']: 'x' } } })]);
    expect((await chain.rows())[0]?.entry).toContain(JSON.stringify(odd));
    await chain.entries();
  });

  it('answers the end of the chain when there is nothing to enter', async () => {
    expect(await append(chain.writer(), [])).toMatchObject({ size: 0, entered: 0 });
    await seeded(3);
    expect(await append(chain.writer(), [])).toMatchObject({ size: 3, entered: 0 });
  });

  describeMerging();

  function describeMerging(): void {
    const certificate = (n: number, more: Partial<Draft> = {}): Draft =>
      draft(`c${n}`, {
        action: 'certificate_revoked',
        request_id: 'one request',
        subject: `certificates/${n}`,
        details: { changes: [{ table: 'certificates', key: String(n), version: 2, set: {}, removed: [] }] },
        ...more,
      });
    const rowsIn = ({ details }: Entry): string[] => rowChangesSchema.parse(details).changes.map(({ key }) => key);

    it('enters what one request did to many rows as one entry', async () => {
      await append(
        chain.writer(),
        [1, 2, 3].map((n) => certificate(n)),
      );
      const [entry, ...more] = await chain.entries();
      expect(more).toEqual([]);
      expect(entry).toMatchObject({
        subject: 'certificates/*',
        event_ids: ['stream:c1', 'stream:c2', 'stream:c3'],
        action: 'certificate_revoked',
      });
      expect(entry && rowsIn(entry)).toEqual(['1', '2', '3']);
    });

    it('keeps what happened between them where it was', async () => {
      const between = draft('between', { key: '1', request_id: null, action: 'out_of_band' });
      await append(chain.writer(), [certificate(1), between, certificate(2), certificate(3)]);
      expect((await chain.entries()).map(({ event_ids }) => event_ids)).toEqual([
        ['stream:c1'],
        ['stream:between'],
        ['stream:c2', 'stream:c3'],
      ]);
    });

    it.each<[string, Partial<Draft>]>([
      ['another actor', { actor: 'admin-2' }],
      ['another request', { request_id: 'another' }],
      ['another action', { action: 'certificate_issued' }],
      ['no request', { request_id: null }],
      ['no rows', { details: {} }],
      ['rows of another table', { details: { changes: [{ table: 'principals', key: '2', set: {}, removed: [] }] } }],
      ['a doubt', { details: { changes: [], why: 'x' } }],
    ])('does not take %s along', async (_, more) => {
      await append(chain.writer(), [certificate(1), certificate(2, more), certificate(3)]);
      expect((await chain.entries()).map(({ event_ids }) => event_ids.length)).toEqual([1, 1, 1]);
    });

    it('does not merge what nobody is known to have done', async () => {
      const unknown = { request_id: null, actor: 'unknown', action: 'out_of_band' };
      await append(chain.writer(), [certificate(1, unknown), certificate(2, unknown)]);
      expect(await chain.entries()).toHaveLength(2);
    });

    it('makes another entry after 40 rows, or when one grows too large', async () => {
      await append(
        chain.writer(),
        Array.from({ length: 90 }, (_, n) => certificate(n)),
      );
      expect((await chain.entries()).map((entry) => rowsIn(entry).length)).toEqual([40, 40, 10]);
      const large = (n: number) =>
        certificate(n, {
          details: {
            changes: [{ table: 'certificates', key: String(n), set: { a: 'x'.repeat(25_000) }, removed: [] }],
          },
        });
      await append(chain.writer(), [200, 201, 202, 203, 204].map(large));
      expect((await chain.entries()).slice(3).map((entry) => rowsIn(entry).length)).toEqual([2, 2, 1]);
    });

    it('enters only the rest of a batch of which a part was entered', async () => {
      const all = Array.from({ length: 6 }, (_, n) => certificate(n));
      await append(chain.writer(), all.slice(1, 3));
      await append(chain.writer(), all);
      expect(events(await chain.entries()).sort()).toEqual(eventsOf(all).sort());
    });
  }

  it('enters a batch that comes again, whole, in parts or in a longer one, once', async () => {
    const all = drafts('d', 12);
    const world = chain.writer();
    await append(world, all.slice(0, 5));
    for (const part of [all.slice(0, 5), all.slice(2, 4), all.slice(0, 8), all.slice(7), all])
      for (const one of [world, chain.writer()]) await append(one, part);
    expect(events(await chain.entries())).toEqual(eventsOf(all));
  });

  it('enters a draft once that stands in a batch twice', async () => {
    await append(chain.writer(), [draft('x'), draft('y'), draft('x')]);
    expect(events(await chain.entries())).toEqual(['stream:x', 'stream:y']);
  });

  it('answers an end behind what others had entered already', async () => {
    const slow = chain.writer();
    await append(slow, [draft('one')]);
    await append(chain.writer(), [draft('two'), draft('three')]);
    expect(await append(slow, [draft('three')])).toMatchObject({ size: 3, entered: 0 });
  });

  it('loses, repeats and reorders nothing when any step of it fails, before or after it happened', async () => {
    const steps = await withEveryFailure(async (failing) => {
      chain = await makeChain(emulator);
      const first = chain.writer();
      await append(first, drafts('before', 3));
      const all = drafts('e', 60);
      // The one that fails was warm, has lost a race, and delivers a batch whose middle another has entered.
      const world = { ...chain.writer({ step: failing.step }), memory: { ...first.memory } };
      await append(chain.writer(), all.slice(20, 25));
      let delivered = false;
      for (let tries = 0; !delivered; tries += 1) {
        expect(tries).toBeLessThan(3);
        delivered = await append(world, all).then(
          () => true,
          (error: Error) => {
            expect(error.message).toMatch(/failed, and/);
            return false;
          },
        );
      }
      const entries = await chain.entries();
      const order = [...all.slice(20, 25), ...all.slice(0, 20), ...all.slice(25)];
      expect(events(entries).slice(3)).toEqual(eventsOf(order));
    });
    expect(steps).toBeGreaterThanOrEqual(7);
  }, 180_000);

  it('keeps every change once and each item’s in order when many write at once, for many rounds', async () => {
    const writers = Array.from({ length: 4 }, () => chain.writer());
    const all: string[] = [];
    for (let round = 0; round < 12; round += 1)
      await Promise.all(
        writers.map(async (world, shard) => {
          // Every batch is delivered twice, the second time by another environment at the same time.
          const batch = Array.from({ length: 5 }, (_, n) =>
            draft(`${shard}-${round}-${n}`, { key: `item-${shard}-${n % 2}` }),
          );
          all.push(...eventsOf(batch));
          await Promise.all([append(world, batch), append(chain.writer(), batch)]);
        }),
      );
    const entries = await chain.entries();
    expect(events(entries).sort()).toEqual(all.sort());
    for (const shard of [0, 1, 2, 3]) {
      const own = events(entries).filter((id) => id.startsWith(`stream:${shard}-`));
      const inOrder = [...own].sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
      expect(own).toEqual(inOrder);
    }
    expect(chain.alarms).toEqual([]);
  }, 120_000);

  it('gives up with a word when it loses every race', async () => {
    const rival = chain.writer();
    let n = 0;
    const step: Step = async (name, go) => {
      if (name === 'TransactWriteCommand') await append(rival, [draft(`rival-${n++}`)]);
      return go();
    };
    const losing = append(chain.writer({ step, sleep: async () => {} }), [draft('late')]);
    await expect(losing).rejects.toMatchObject({ name: 'Unavailable' });
    expect(events(await chain.entries())).not.toContain('stream:late');
  }, 60_000);

  it('throws what is no race, and may be called again', async () => {
    const broken: Step = async () => {
      throw new Error('no network');
    };
    await expect(append(chain.writer({ step: broken }), [draft('x')])).rejects.toThrow('no network');
    await append(chain.writer(), [draft('x')]);
    expect(events(await chain.entries())).toEqual(['stream:x']);
  });

  it('leaves marks that expire three days later', async () => {
    await append(chain.writer({ now: () => time }), [draft('marked')]);
    const { Item } = await chain.documents.send(
      new GetCommand({
        TableName: chain.TableName,
        Key: { chain: auditKeys.seen('stream:marked'), sequence: 0 },
      }),
    );
    expect(Item).toEqual({ chain: 'seen#stream:marked', sequence: 0, at: 1, expires: time / 1_000 + 3 * 86_400 });
  });

  it.each<[string, Record<string, unknown>]>([
    ['an entry that is not there', { at: 4_000 }],
    ['an entry of other events', { at: 1 }],
    ['nothing', {}],
    ['a word', { at: 'x' }],
    ['a fraction', { at: 1.5 }],
    ['a number past all counting', { at: Number.MAX_SAFE_INTEGER }],
    ['a list', { at: [1] }],
  ])('enters an event all the same that somebody marked as entered by %s, and tells', async (_, mark) => {
    const world = await seeded(3);
    const all = drafts('p', 5);
    await append(chain.writer(), all.slice(0, 1));
    await chain.put({ chain: auditKeys.seen('stream:p-2'), sequence: 0, ...mark });
    await append(world, all);
    await append(chain.writer(), all);
    expect(events(await chain.entries()).slice(3)).toEqual(eventsOf(all));
    expect(chain.alarms).toEqual(['an event was marked as entered that no entry tells of']);
  });

  it('does not believe an entry that somebody changed so that it tells of an event', async () => {
    const world = await seeded(3);
    const [first] = await chain.rows();
    if (first === undefined) throw new Error('no entry');
    const lying = first.entry.replace('stream:seed-0', 'stream:lied');
    await chain.put({ ...first, entry: lying, hash: entryHash(lying) });
    await chain.put({ chain: auditKeys.seen('stream:lied'), sequence: 0, at: 1 });
    await append(world, [draft('lied')]);
    await chain.put({ ...first });
    expect(events(await chain.entries()).at(-1)).toBe('stream:lied');
  });

  /** As somebody would who read the code and can write the table, but has no key. */
  const imitation = async (more: Partial<Entry> = {}) => {
    const last = (await chain.rows()).at(-1);
    if (last === undefined) throw new Error('no entry');
    const sequence = last.sequence + 1;
    const entry = entryBytes({
      ...draft('invented'),
      event_ids: ['stream:invented'],
      details: {},
      sequence,
      appended_at: Date.now(),
      previous: last.hash,
      seal: 'A'.repeat(22),
      ...more,
    });
    return { chain: 'main', sequence, entry, hash: entryHash(entry), action: 'principal_suspended', nodes: [] };
  };

  const foreign: [string, () => Promise<Record<string, unknown>[]>][] = [
    ['an entry like ours', async () => [await imitation()]],
    ['an entry with a seal of their own', async () => [await resealed(randomBytes(32))]],
    [
      'an entry with the seal of another one',
      async () => [await imitation({ seal: (await chain.entries())[0]?.seal ?? '' })],
    ],
    ['our own first entry again', async () => [{ ...(await chain.rows())[0], sequence: 6 }]],
    ['no entry at all', async () => [{ chain: 'main', sequence: 6 }]],
    [
      'nonsense',
      async () => [{ chain: 'main', sequence: 6, entry: 5, hash: [1], seal: { a: 1 }, nodes: 'x', action: 'y' }],
    ],
    ['something in the second place after', async () => [{ chain: 'main', sequence: 7, entry: 'x' }]],
    [
      'something in each of the next places',
      async () => [6, 7, 8, 9, 10].map((sequence) => ({ chain: 'main', sequence, seal: sequence })),
    ],
    ['something between two places', async () => [{ chain: 'main', sequence: 6.5, entry: 'x' }]],
    ['something far away', async () => [{ chain: 'main', sequence: 10 ** 12, entry: 'x' }]],
    ['something further than numbers count', async () => [{ chain: 'main', sequence: 2n ** 60n, entry: 'x' }]],
    [
      'something before the first',
      async () => [
        { chain: 'main', sequence: 0, entry: 'x' },
        { chain: 'main', sequence: -5 },
      ],
    ],
  ];
  const resealed = async (key: Uint8Array) => {
    const { seal: _seal, ...unsealed } = entrySchema.parse(JSON.parse((await imitation()).entry));
    return imitation(sealEntry(key, chain.deployment, unsealed));
  };
  /** Only what stands in the places of entries; the rest stays for whoever cleans up, and verification finds it. */
  const withoutStray = async (): Promise<Entry[]> => {
    for (const { sequence } of await chain.items())
      if (!(Number.isInteger(sequence) && Number(sequence) > 0 && Number(sequence) < 1_000_000))
        await chain.remove('main', Number.isInteger(sequence) ? BigInt(Number(sequence)) : Number(sequence));
    return chain.entries();
  };

  it.each(foreign)('goes on, warm or cold, where somebody put %s at its end', async (_, make) => {
    for (const temperature of ['warm', 'cold']) {
      chain = await makeChain(emulator);
      const world = await seeded(5);
      for (const row of await make()) await chain.put(row);
      const all = drafts('after', 7);
      await append(temperature === 'warm' ? world : chain.writer(), all);
      await append(chain.writer(), [draft('last')]);
      const entries = await withoutStray();
      const own = entries.filter(({ action }) => action !== 'entry_forged');
      expect(events(own).slice(5)).toEqual([...eventsOf(all), 'stream:last']);
      expect(JSON.stringify(entries)).not.toContain('invented');
    }
  });

  it('overwrites nothing that another one appends meanwhile, at whatever step, where somebody put something behind the end', async () => {
    for (let at = 0, reached = true; reached; at += 1) {
      chain = await makeChain(emulator);
      await seeded(3);
      await chain.put({ chain: auditKeys.chain, sequence: 5, entry: '{}', hash: 'a'.repeat(64), nodes: [] });
      let count = 0;
      const step: Step = async (_, go) => {
        if (count++ === at) await append(chain.writer(), [draft('meanwhile')]);
        return go();
      };
      await append(chain.writer({ step }), [draft('mine')]);
      reached = count > at;
      if (!reached) await append(chain.writer(), [draft('meanwhile')]);
      const own = (await chain.entries()).filter(({ action }) => action !== 'entry_forged');
      expect(events(own.slice(3)).sort(), `at step ${at}`).toEqual(['stream:meanwhile', 'stream:mine']);
    }
  }, 60_000);

  it('tells in an entry what it pushed aside', async () => {
    const world = await seeded(5);
    await chain.put(await imitation());
    await append(world, [draft('after')]);
    const [forged, after] = (await chain.entries()).slice(5);
    expect(forged).toMatchObject({
      sequence: 6,
      action: 'entry_forged',
      actor: 'unknown',
      subject: 'audit/6',
      details: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), names: expect.arrayContaining(['entry', 'hash']) },
    });
    expect(after?.event_ids).toEqual(['stream:after']);
    expect(chain.alarms).toEqual(['rows after the newest entry are not ones that this deployment appended']);
  });

  it('follows the last entry that was signed where the newest ones were removed', async () => {
    const world = await seeded(5);
    await coverWithHead(world, await append(world, []));
    const kept = await chain.rows();
    for (const sequence of [4, 5]) await chain.remove('main', sequence);
    await append(chain.writer(), [draft('after')]);
    expect((await chain.items()).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 6]);
    expect(chain.alarms.length).toBeGreaterThan(0);
    // Restored from a backup, the chain is whole, but for the tree above what was unknown meanwhile.
    for (const row of kept.slice(3)) await chain.put(row);
    const rows = await chain.rows();
    expect(JSON.parse(rows[5]?.entry ?? '')).toMatchObject({ previous: rows[4]?.hash });
  });

  it('is whole again when a removed entry that was signed is put back', async () => {
    const world = await seeded(5);
    await coverWithHead(world, await append(world, []));
    const kept = (await chain.rows()).slice(4);
    await chain.remove('main', 5);
    await append(chain.writer(), [draft('after')]);
    for (const row of kept) await chain.put(row);
    expect(events(await chain.entries()).slice(4)).toEqual(['stream:seed-4', 'stream:after']);
  });

  it('follows what others appended though somebody removed one of theirs', async () => {
    const world = await seeded(4);
    await append(chain.writer(), drafts('other', 4));
    const [kept] = (await chain.rows()).slice(5);
    await chain.remove('main', 6);
    await append(world, [draft('after')]);
    if (kept !== undefined) await chain.put({ ...kept });
    expect(events(await chain.entries()).slice(7)).toEqual(['stream:other-3', 'stream:after']);
  });

  it('goes on where an entry is missing that the tree needs, and alarms', async () => {
    await seeded(7);
    await chain.remove('main', 4);
    await append(chain.writer(), [draft('after')]);
    expect(chain.alarms).toEqual(['an entry is missing, or not as it was appended']);
    const rows = await chain.rows();
    expect(JSON.parse(rows.at(-1)?.entry ?? '')).toMatchObject({ sequence: 8, previous: rows.at(-2)?.hash });
  });

  it('alarms where the tree is no longer the one that was signed', async () => {
    const world = await seeded(6);
    await coverWithHead(world, await append(world, []));
    const [, , , fourth] = await chain.rows();
    await chain.put({ ...fourth, nodes: fourth?.nodes.map(() => 'a'.repeat(64)) });
    await append(chain.writer(), [draft('after')]);
    expect(chain.alarms).toEqual(['entries are missing, or not as they were signed']);
  });

  it('never writes over what was signed, though its key be another one', async () => {
    const world = await seeded(6);
    await coverWithHead(world, await append(world, []));
    const before = await chain.rows();
    const other = chain.writer({ stampKey: randomBytes(32) });
    await append(other, [draft('after')]);
    const rows = await chain.rows();
    expect(rows.slice(0, 6)).toEqual(before);
    expect(JSON.parse(rows[6]?.entry ?? '')).toMatchObject({ sequence: 7, previous: before[5]?.hash });
  });

  it('is not led astray by an object among the heads that nobody signed', async () => {
    await seeded(4);
    chain.kept.set('heads/0999999999999000-x.json', {
      deployment: 'x/y',
      size: 1_000,
      hash: 'a'.repeat(64),
      root: 'b'.repeat(64),
      signed_at: 1,
      signature: '',
    });
    await append(chain.writer(), [draft('after')]);
    expect(events(await chain.entries()).at(-1)).toBe('stream:after');
    expect(chain.alarms).toEqual(['an object among the heads is not signed by this deployment']);
  });

  it('costs what the documentation says', async () => {
    const world = await seeded(1);
    const consumed: unknown[] = [];
    const step: Step = async (_, go, command) => {
      if (command instanceof TransactWriteCommand) command.input.ReturnConsumedCapacity = 'TOTAL';
      const answer = await go();
      consumed.push(capacity.parse(answer).ConsumedCapacity[0]?.CapacityUnits);
      return answer;
    };
    await append({ ...chain.writer({ step }), memory: { ...world.memory } }, [draft('cost')]);
    expect(consumed).toEqual([5]);
  });
});
