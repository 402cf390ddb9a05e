import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { beforeEach, expect, it } from 'vitest';
import { append } from '../../src/audit/append.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import type { Draft } from '../../src/audit/entry.ts';
import { headKey } from '../../src/audit/head.ts';
import type { AuditWorld } from '../../src/audit/world.ts';
import { auditKeys } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeChain, type Step, type TestChain, withEveryFailure } from './chain.ts';

let count = 0;
const draft = (): Draft => ({
  event_ids: [`stream:${count++}`],
  time: 1,
  action: 'principal_suspended',
  actor: 'admin-1',
  request_id: `request-${count}`,
  subject: 'principals/worker-1',
  details: {},
});

describeWithEmulator('covering with a signed head', (emulator) => {
  let chain: TestChain;
  beforeEach(async () => {
    chain = await makeChain(emulator);
  });
  const appendAndCover = async (world: AuditWorld, entries = 1) => {
    const position = await append(world, Array.from({ length: entries }, draft));
    await coverWithHead(world, position);
    return position;
  };
  /** That a genuine head covers an entry, and says of the chain what the chain is. */
  const isCovered = async (size: number): Promise<void> => {
    await chain.entries();
    const rows = await chain.rows();
    const covering = [...chain.kept.values()].filter((head) => head.size >= size && chain.isGenuine(head));
    expect(covering.length).toBeGreaterThan(0);
    for (const head of covering) {
      expect(head.hash).toBe(rows[head.size - 1]?.hash);
      expect(head.root).toBe(await chain.rootAt(head.size));
    }
  };
  const putTurn = (row: Record<string, unknown>) => chain.put({ chain: auditKeys.turn, sequence: 0, ...row });

  it.each([1, 2, 3, 7, 8, 100])('signs the size, the hash and the root of a chain of %i entries', async (size) => {
    await appendAndCover(chain.writer(), size);
    await isCovered(size);
    expect([...chain.kept.values()]).toMatchObject([{ size, deployment: `${chain.deployment.name}/dev` }]);
  });

  it('signs nothing where there is nothing', async () => {
    await coverWithHead(chain.writer(), await append(chain.writer(), []));
    expect(chain.kept.size).toBe(0);
  });

  it('signs nothing where a head covers it already', async () => {
    const world = chain.writer();
    const first = await appendAndCover(world);
    const all: string[] = [];
    const step: Step = (name, go) => {
      all.push(name);
      return go();
    };
    await appendAndCover(world, 3);
    await coverWithHead(chain.writer({ step }), first);
    expect(all).not.toContain('sign');
  });

  it('covers what others appended meanwhile with the same head', async () => {
    const world = chain.writer();
    const position = await append(world, [draft()]);
    await append(chain.writer(), [draft(), draft()]);
    await coverWithHead(world, position);
    expect([...chain.kept.values()].map(({ size }) => size)).toEqual([3]);
    await isCovered(3);
  });

  it('signs at most one head a second, however many write, and keeps nobody waiting for long', async () => {
    const began = Date.now();
    const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
    const writers = Array.from({ length: 8 }, () => chain.writer({ sleep }));
    await Promise.all(
      writers.map(async (world) => {
        for (let n = 0; n < 2; n += 1) {
          const { size } = await appendAndCover(world);
          expect(Math.max(...[...chain.kept.values()].map((head) => head.size))).toBeGreaterThanOrEqual(size);
        }
      }),
    );
    const took = Date.now() - began;
    const times = [...chain.kept.values()].map(({ signed_at }) => signed_at).sort((one, other) => one - other);
    expect(times.length).toBeLessThanOrEqual(Math.floor(took / 1_000) + 1);
    for (const [index, time] of times.entries()) expect(time - (times[index - 1] ?? 0)).toBeGreaterThan(700);
    expect(took).toBeLessThan(8_000);
    await isCovered(16);
  });

  it.each<[string, Record<string, unknown>]>([
    ['far in the future', { at: Date.now() + 10 ** 9 }],
    ['beyond what numbers count', { at: 10n ** 37n }],
    ['no time', {}],
    ['a word', { at: 'soon' }],
    ['a list', { at: [Date.now()] }],
    ['nothing', { at: null }],
  ])('is not stopped by somebody who made the turn %s', async (_, turn) => {
    await putTurn(turn);
    let waits = 0;
    const sleep = async () => {
      waits += 1;
    };
    await appendAndCover(chain.writer({ sleep }));
    expect(waits).toBe(0);
    await isCovered(1);
  });

  it('is not stopped by somebody who takes every turn', async () => {
    let now = Date.now();
    const sleep = async (ms: number) => {
      now += ms;
    };
    const step: Step = async (_, go, command) => {
      if (command instanceof UpdateCommand) await putTurn({ at: now });
      return go();
    };
    const began = now;
    await appendAndCover(chain.writer({ now: () => now, sleep, step }));
    await isCovered(1);
    expect(now - began).toBeLessThanOrEqual(6_000);
  });

  it('covers whatever step fails, before or after it happened, when it is called again', async () => {
    const steps = await withEveryFailure(async (failing) => {
      chain = await makeChain(emulator);
      await appendAndCover(chain.writer(), 3);
      const world = chain.writer({ step: failing.step });
      const position = await append(chain.writer(), [draft()]);
      const outcome = await coverWithHead(world, position).then(
        () => 'covered',
        (error: Error) => error.message,
      );
      if (failing.reached()) expect(outcome).toMatch(/failed/);
      if (outcome === 'covered') await isCovered(4);
      await coverWithHead(world, position);
      await isCovered(4);
    });
    expect(steps).toBeGreaterThanOrEqual(4);
  });

  it('does not count an object as a head that this deployment did not sign, or not over this chain', async () => {
    const world = chain.writer();
    const first = await appendAndCover(world);
    const { hash } = await append(world, [draft(), draft()]);
    const [signed] = chain.kept.values();
    if (signed === undefined) throw new Error('no head');
    const planted = [
      { ...signed, size: 3, hash },
      { ...signed, size: 3, hash: 'a'.repeat(64) },
      { ...signed, size: 1_000 },
    ];
    for (const head of planted) chain.kept.set(headKey(head), head);
    await coverWithHead(world, { ...first, size: 3, hash });
    await isCovered(3);
    expect(new Set(chain.alarms)).toEqual(new Set(['an object among the heads is no head of this chain']));
  });

  it('throws when the head could not be kept', async () => {
    const step: Step = async (name, go) => {
      if (name === 'write') throw new Error('no bucket');
      return go();
    };
    await expect(appendAndCover(chain.writer({ step }))).rejects.toThrow('no bucket');
    expect(chain.kept.size).toBe(0);
  });
});
