/** The daily comparison of the tables with the chain: what it finds, that it tells it once, and what is no difference. */
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { beforeAll, describe, expect, it } from 'vitest';
import { append } from '../../src/audit/append.ts';
import type { Image } from '../../src/audit/attribute.ts';
import type { Entry } from '../../src/audit/entry.ts';
import { reconcileAudit } from '../../src/audit/reconcile.ts';
import type { AuditWorld } from '../../src/audit/world.ts';
import { auditKeys, controlKeys, tableName } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { type AuditedTables, makeAuditedTables } from './audited-tables.ts';

const minute = 60_000;

describeWithEmulator('reconciliation', (emulator) => {
  let tables: AuditedTables;
  beforeAll(async () => {
    tables = await makeAuditedTables(emulator);
  });
  const fresh = async (): Promise<void> => {
    tables = await makeAuditedTables(emulator);
  };

  let runs = 0;
  /** One run; `meanwhile` is what happens in the minute that it waits. */
  const reconcile = async ({
    meanwhile = async () => {},
    run = `run-${runs++}`,
    remaining_ms = () => 900_000,
    broken = false,
  }: {
    meanwhile?: () => Promise<void>;
    run?: string;
    remaining_ms?: () => number;
    /** The bucket of the heads. */
    broken?: boolean;
  } = {}) => {
    const world = tables.writer();
    const before = (await tables.items()).length;
    let waits = 0;
    const sleep = async (ms: number): Promise<void> => {
      if (ms < minute) return world.sleep(ms);
      waits += 1;
      await meanwhile();
    };
    const write = async (): Promise<never> => {
      throw new Error('no bucket');
    };
    const warned: string[] = [];
    const counted: Record<string, number> = {};
    const told: Pick<AuditWorld, 'warn' | 'count'> = {
      warn: (problem) => void warned.push(problem),
      count: (counts) => {
        for (const [name, n] of Object.entries(counts)) counted[name] = (counted[name] ?? 0) + n;
      },
    };
    const result = await reconcileAudit(
      { ...world, heads: { ...world.heads, ...(broken ? { write } : {}) }, sleep, remaining_ms, ...told },
      { run },
    );
    expect(warned).toEqual([
      ...Array.from({ length: result.differences }, () => 'reconciliation_difference'),
      ...(result.undecided > 0 ? ['rows differ from the chain, and could not be looked at again'] : []),
    ]);
    expect(counted.audit_differences_total ?? 0).toBe(result.differences + (result.undecided > 0 ? 1 : 0));
    const entered = (await tables.entries()).slice(before);
    return {
      result,
      counted,
      waits,
      entered,
      differences: entered.filter(({ action }) => action === 'reconciliation_difference'),
    };
  };
  const changeOf = (entry: Entry | undefined) => {
    const { changes } = entry?.details ?? {};
    return Array.isArray(changes) ? changes[0] : undefined;
  };
  const newestHead = () => Math.max(...[...tables.kept.values()].map(({ size }) => size));
  const nothing = async () => {
    const { result, differences } = await reconcile();
    expect(differences).toEqual([]);
    expect(result).toMatchObject({ differences: 0, undecided: 0, foreign: 0 });
  };

  const worker = async (key: string, set: Record<string, unknown> = {}) =>
    tables.deliver(
      await tables.product('principals', key, {
        set: { type: 'worker', status: 'active', created_at: 1_700_000_000_000, live_serials: ['01ab'], ...set },
        action: 'principal_created',
      }),
    );
  const suspended: Image = { status: { S: 'suspended' }, suspended_reason: { S: 'break glass' } };

  describe('finds nothing', () => {
    it('where every change was entered, and says so, with a head over it', async () => {
      await worker('quiet-1');
      await tables.deliver(
        await tables.product('principals', 'quiet-1', { set: { status: 'suspended', suspended_at: 1.5 } }),
        await tables.product('principals', 'quiet-1', { set: { status: 'active' }, remove: ['suspended_at'] }),
        await tables.edit('principals', 'quiet-1', suspended),
        await tables.product('jobs', 'job-1', {
          set: { state: 'PENDING', secret: new Set(['b', 'a']), n: 0.1 + 0.2 },
        }),
        await tables.product('controls', 'lease#truststore', { set: { holder: 'x', fence: 1 } }),
        await tables.product('controls', 'key#ab', { set: { principal_id: 'quiet-1' } }),
        await tables.product('controls', 'key#ab', { set: { compromised: true } }),
        await tables.product('controls', controlKeys.admins, { set: { version: 1 } }),
      );
      const { result, waits, entered } = await reconcile({ run: 'first' });
      const size = (await tables.entries()).length;
      expect(result).toEqual({ rows: 16 + 5, entries: size - 1, differences: 0, undecided: 0, foreign: 0 });
      expect(waits).toBe(0);
      expect(entered).toMatchObject([
        { action: 'audit_reconciled', actor: 'function:reconcile-audit', request_id: 'first', details: result },
      ]);
      expect(newestHead()).toBe(size);
    });

    it('in numbers that no JavaScript number is, whoever typed them', async () => {
      await worker('number-1');
      await tables.deliver(
        await tables.edit('principals', 'number-1', {
          created_at: { N: '123456789012345678901234567890' },
          typed: { N: '1E+2' },
          small: { N: '0.10' },
          bytes: { B: new Uint8Array([1, 2]) },
          list: { L: [{ NULL: true }, { M: { a: { BS: [new Uint8Array([3])] } } }] },
        }),
      );
      await nothing();
    });

    it('in rows that were deleted, by the product or at their end, or put back behind its back', async () => {
      await worker('gone-1');
      await worker('gone-2');
      await worker('gone-3');
      await tables.deliver(...(await tables.productDeletes('principals', 'gone-1')));
      await tables.deliver(
        await tables.replace('principals', 'gone-2', undefined, {
          type: 'Service',
          principalId: 'dynamodb.amazonaws.com',
        }),
      );
      const row = (await tables.read('principals', 'gone-3')) ?? {};
      await tables.deliver(await tables.replace('principals', 'gone-3', undefined));
      await tables.deliver(await tables.replace('principals', 'gone-3', row));
      await nothing();
    });

    it('in attributes that are the product’s own affair', async () => {
      await worker('own-1');
      await tables.product('principals', 'own-1', { set: { live_serials: ['02', '03'], certificates_version: 7 } });
      await tables.product('controls', 'lease#truststore', { set: { holder: 'somebody' } });
      await tables.edit('controls', 'lease#other', { holder: { S: 'nobody heard of it' } });
      await nothing();
    });

    it('in a row too large to be told, that was told of', async () => {
      await worker('large-1');
      const many = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`${n}${'x'.repeat(150)}`, { S: 'y' }]));
      await tables.deliver(await tables.edit('principals', 'large-1', many));
      expect(changeOf((await tables.entries()).at(-1))).toMatchObject({ truncated: true });
      await nothing();
      await tables.deliver(await tables.edit('principals', 'large-1', { status: { S: 'suspended' } }));
      await tables.product('principals', 'large-1', { set: { live_serials: ['02'] } });
      await nothing();
      await tables.deliver(await tables.edit('principals', 'large-1', {}, Object.keys(many)));
      expect(changeOf((await tables.entries()).at(-1))).toMatchObject({ whole: true, set: { type: 'worker' } });
      await nothing();
      await tables.deliver(await tables.edit('principals', 'large-1', { status: { S: 'active' } }));
      await nothing();
    });

    it('in more rows and entries than a read brings at once', async () => {
      await fresh();
      const large = 'x'.repeat(300_000);
      for (let n = 0; n < 9; n += 1)
        await tables.deliver(await tables.product('jobs', `large-${n}`, { set: { state: 'DONE', large } }));
      const noted = { time: 1, action: 'noted', actor: 'x', request_id: null, subject: 'x' };
      for (let n = 0; n < 9; n += 1)
        await append(tables.writer(), [
          { ...noted, event_ids: [`job:test:${n}`], details: { large: large.slice(0, 250_000) } },
        ]);
      await nothing();
      await tables.edit('jobs', 'large-8', { state: { S: 'FAILED' } });
      expect((await reconcile()).differences).toHaveLength(1);
      await nothing();
    });

    it('in an attribute with a name that no object can have', async () => {
      await worker('proto-1');
      const odd: Image = JSON.parse('{"__proto__": {"S": "x"}, "constructor": {"S": "y"}}');
      await tables.deliver(await tables.edit('principals', 'proto-1', odd));
      await nothing();
    });
  });

  describe('finds, and tells once,', () => {
    it('that an attribute is gone whose name every object has', async () => {
      await worker('inherited-1');
      const odd: Image = { constructor: { S: 'y' }, toString: { S: 'z' }, kept: { S: 'x' } };
      await tables.deliver(await tables.edit('principals', 'inherited-1', odd));
      await tables.edit('principals', 'inherited-1', {}, ['constructor', 'toString']);
      const { differences } = await reconcile();
      expect(changeOf(differences[0])).toMatchObject({ set: {}, removed: ['constructor', 'toString'] });
      await nothing();
    });

    it('a row that was changed while nobody listened', async () => {
      await worker('silent-1');
      await tables.edit('principals', 'silent-1', { ...suspended, secret: { S: 'hunter2' } }, ['created_at']);
      const { result, differences } = await reconcile();
      expect(result.differences).toBe(1);
      expect(differences).toMatchObject([{ actor: 'unknown', subject: 'principals/silent-1' }]);
      expect(changeOf(differences[0])).toEqual({
        table: 'principals',
        key: 'silent-1',
        set: {
          status: 'suspended',
          suspended_reason: 'break glass',
          secret: { hmac: expect.stringMatching(/^[0-9a-f]{32}$/) },
        },
        removed: ['created_at'],
        before: { status: 'active', created_at: 1_700_000_000_000 },
      });
      expect(JSON.stringify(await tables.entries())).not.toContain('hunter2');
      await nothing();
    });

    it('a write of the product’s own that its stream did not bring', async () => {
      await worker('lost-1');
      await tables.product('principals', 'lost-1', { set: { status: 'suspended' } });
      const { differences } = await reconcile();
      expect(changeOf(differences[0])).toMatchObject({ set: { status: 'suspended' }, before: { status: 'active' } });
      await nothing();
    });

    it('a row that is missing', async () => {
      await worker('missing-1');
      await tables.replace('principals', 'missing-1', undefined);
      const { differences } = await reconcile();
      expect(differences).toHaveLength(1);
      expect(changeOf(differences[0])).toEqual({
        table: 'principals',
        key: 'missing-1',
        set: {},
        removed: ['created_at', 'status', 'type'],
        before: { type: 'worker', status: 'active', created_at: 1_700_000_000_000 },
        deleted: true,
      });
      await nothing();
    });

    it('a row that nobody heard of', async () => {
      await tables.edit('certificates', '01ff', { principal_id: { S: 'mallory' }, revoked: { BOOL: false } });
      const { differences } = await reconcile();
      expect(changeOf(differences[0])).toEqual({
        table: 'certificates',
        key: '01ff',
        set: { principal_id: 'mallory', revoked: false },
        removed: [],
        created: true,
      });
      await nothing();
    });

    it('a row that was deleted and came back, without its deletion or its return being told', async () => {
      await worker('back-1');
      const row = (await tables.read('principals', 'back-1')) ?? {};
      await tables.deliver(...(await tables.productDeletes('principals', 'back-1')));
      await tables.replace('principals', 'back-1', row);
      const { differences } = await reconcile();
      expect(changeOf(differences[0])).toMatchObject({ key: 'back-1', set: { status: 'active' }, created: true });
      await nothing();
    });

    it('every row of a table that was restored to an earlier time', async () => {
      await fresh();
      const early = new Map<string, Image | undefined>();
      for (const key of ['r-1', 'r-2', 'r-3']) {
        await worker(key);
        early.set(key, await tables.read('principals', key));
      }
      await tables.deliver(
        await tables.product('principals', 'r-1', { set: { status: 'suspended' } }),
        await tables.product('principals', 'r-2', { set: { status: 'suspended' } }),
      );
      await worker('r-4');
      for (const key of ['r-1', 'r-2', 'r-3', 'r-4']) await tables.replace('principals', key, early.get(key));
      const { differences } = await reconcile();
      expect(differences.map(({ subject }) => subject).sort()).toEqual([
        'principals/r-1',
        'principals/r-2',
        'principals/r-4',
      ]);
      await nothing();
    });

    it('a key that is barred no more', async () => {
      await tables.deliver(await tables.product('controls', 'key#cafe', { set: { principal_id: 'x' } }));
      await tables.deliver(await tables.product('controls', 'key#cafe', { set: { compromised: true } }));
      await tables.replace('controls', 'key#cafe', undefined);
      const { differences } = await reconcile();
      expect(changeOf(differences[0])).toMatchObject({ key: 'key#cafe', deleted: true, before: { compromised: true } });
      await nothing();
    });

    it('a copy of the generation that is not what the first one is', async () => {
      await fresh();
      const raised = [];
      for (let copy = 0; copy < 16; copy += 1)
        raised.push(
          await tables.product('controls', controlKeys.generation(copy), { set: { generation: 1, reason: 'stolen' } }),
        );
      await tables.deliver(...raised);
      await nothing();
      await tables.edit('controls', 'generation#7', { generation: { N: '0' } }, ['reason']);
      await tables.replace('controls', 'generation#9', undefined);
      const { differences } = await reconcile();
      expect(differences.map(({ subject }) => subject)).toEqual(['controls/generation#7', 'controls/generation#9']);
      expect(changeOf(differences[0])).toMatchObject({ set: { generation: 0 }, removed: ['reason'] });
      expect(differences[0]?.details.why).toContain('generation#0');
      expect(changeOf(differences[1])).toMatchObject({ deleted: true });
      await nothing();
    });

    it('a copy that was put back to what had been told of it before the generation last changed', async () => {
      await fresh();
      await tables.deliver(await tables.edit('controls', 'generation#3', { generation: { N: '9' } }));
      await nothing();
      const raised = [];
      for (let copy = 0; copy < 16; copy += 1)
        raised.push(await tables.product('controls', controlKeys.generation(copy), { set: { generation: 2 } }));
      await tables.deliver(...raised);
      await nothing();
      await tables.edit('controls', 'generation#3', { generation: { N: '9' } });
      expect((await reconcile()).differences).toMatchObject([{ subject: 'controls/generation#3' }]);
      await nothing();
    });

    it('a generation that is missing altogether', async () => {
      await fresh();
      for (let copy = 0; copy < 16; copy += 1)
        await tables.replace('controls', controlKeys.generation(copy), undefined);
      const { differences } = await reconcile();
      expect(differences.map(({ subject }) => subject)).toEqual(['controls/generation#0']);
    });

    it('a row that is otherwise again after it was told of', async () => {
      await worker('again-1');
      for (const status of ['suspended', 'active', 'suspended']) {
        await tables.edit('principals', 'again-1', { status: { S: status } });
        const { differences } = await reconcile();
        expect(changeOf(differences[0])).toMatchObject({ key: 'again-1', set: { status } });
      }
      await nothing();
    });

    it('a row too large to be told', async () => {
      await worker('large-2');
      const many = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`${n}${'x'.repeat(150)}`, { S: 'y' }]));
      await tables.edit('principals', 'large-2', many);
      expect(changeOf((await reconcile()).differences[0])).toMatchObject({ key: 'large-2', truncated: true });
      await nothing();
    });

    it.each([
      ['an attribute of it', { status: { S: 'suspended' } }, []],
      ['one of too many to be told', { [`7${'x'.repeat(150)}`]: { S: 'z' } }, []],
      ['one more', { more: { S: 'z' } }, []],
      ['one that is gone', {}, [`7${'x'.repeat(150)}`]],
    ])('a change of a row that was too large to be told: %s', async (_, set: Image, removed) => {
      const key = `large-${runs}`;
      await worker(key);
      const many = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`${n}${'x'.repeat(150)}`, { S: 'y' }]));
      await tables.deliver(await tables.edit('principals', key, many));
      await tables.deliver(await tables.edit('principals', key, { suspended_at: { N: '5' } }));
      await tables.edit('principals', key, set, removed);
      expect((await reconcile()).differences).toMatchObject([{ subject: `principals/${key}` }]);
      await nothing();
      await tables.edit('principals', key, { type: { S: 'admin' } }, Object.keys(many));
      const { differences } = await reconcile();
      expect(changeOf(differences[0])).toMatchObject({ key, whole: true, set: { type: 'admin' } });
      await nothing();
    });

    it('that a row is gone of whom all was too large to be told', async () => {
      const many = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`${n}${'x'.repeat(150)}`, { S: 'y' }]));
      await tables.deliver(await tables.edit('principals', 'large-gone', many));
      await nothing();
      await tables.replace('principals', 'large-gone', undefined);
      const { differences } = await reconcile();
      expect(changeOf(differences[0])).toMatchObject({ key: 'large-gone', deleted: true });
      await nothing();
    });

    it('forty rows with long names of many bytes', async () => {
      await fresh();
      const many = Object.fromEntries(
        Array.from({ length: 180 }, (_, n) => [`${n}${'漢'.repeat(250)}`, { NULL: true as const }]),
      );
      for (let n = 0; n < 40; n += 1) await tables.edit('principals', `fat-${n}`, many);
      const { result } = await reconcile();
      expect(result).toMatchObject({ differences: 40, undecided: 0 });
      await nothing();
    }, 120_000);

    it('rows with keys as long as a key may be', async () => {
      const key = 'k'.repeat(2_048);
      await tables.edit('jobs', key, { state: { S: 'x' } });
      expect((await reconcile()).differences).toMatchObject([{ subject: `jobs/${key}` }]);
      await nothing();
    });
  });

  describe('what stands in the chain twice', () => {
    it('is told once: a version of a row under another event', async () => {
      await fresh();
      await worker('twice-1');
      const record = await tables.product('principals', 'twice-1', { set: { status: 'suspended' } });
      await tables.deliver(record);
      await tables.deliver({ ...record, eventID: 'another' });
      const { sequence } = (await tables.entries()).at(-1) ?? { sequence: 0 };
      const { result, differences } = await reconcile();
      expect(result.differences).toBe(1);
      expect(differences).toMatchObject([
        {
          subject: `audit/${sequence}`,
          details: { repeated: sequence, why: 'version 2 of principals/twice-1 was entered before' },
        },
      ]);
      await nothing();
    });

    it('is told once: an event whose mark was taken away', async () => {
      const [first] = await tables.entries();
      const { event_ids = [] } = first ?? {};
      const draft = { time: 1, action: 'noted', actor: 'x', request_id: null, subject: 'x', details: {} };
      await append(tables.writer(), [{ ...draft, event_ids: ['job:test:1'] }]);
      for (const [table, event_id] of [['audit', 'job:test:1'] as const])
        await tables.client.send(
          new PutItemCommand({
            TableName: tableName(tables.deployment, table),
            Item: { chain: { S: auditKeys.seen(event_id) }, sequence: { N: '0' }, at: { N: '1' } },
          }),
        );
      await append(tables.writer(), [{ ...draft, event_ids: ['job:test:1'] }]);
      expect(event_ids).not.toContain('job:test:1');
      const { differences } = await reconcile();
      expect(differences).toMatchObject([{ details: { why: 'event job:test:1 was entered before' } }]);
      await nothing();
    });
  });

  describe('a change under way', () => {
    it('is no difference when it is entered within the minute', async () => {
      await fresh();
      await worker('way-1');
      await worker('way-2');
      await worker('way-3');
      const records = [
        await tables.product('principals', 'way-1', { set: { status: 'suspended' } }),
        await tables.edit('principals', 'way-2', suspended),
        await tables.replace('principals', 'way-3', undefined),
        await tables.product('principals', 'way-4', { set: { status: 'active' } }),
        await tables.edit('controls', 'generation#4', { generation: { N: '5' } }),
      ];
      const { result, waits, differences } = await reconcile({ meanwhile: () => tables.deliver(...records) });
      expect(differences).toEqual([]);
      expect(result.undecided).toBe(0);
      expect(waits).toBe(1);
      await nothing();
    });

    it('is no difference when the row changes again and again', async () => {
      await worker('busy-1');
      let late = await tables.product('principals', 'busy-1', { set: { suspended_at: 0 } });
      const { waits, result, differences } = await reconcile({
        meanwhile: async () => {
          const before = late;
          late = await tables.product('principals', 'busy-1', { set: { suspended_at: 1 } });
          await tables.deliver(before);
        },
      });
      expect(differences).toEqual([]);
      expect(result).toMatchObject({ differences: 0, undecided: 0 });
      expect(waits).toBe(1);
      await tables.deliver(late);
      await nothing();
    });

    it('that nobody tells of is told as it is at the last look, though it is another at each', async () => {
      await worker('busy-3');
      let n = 0;
      const edit = async (): Promise<void> => {
        n += 1;
        await tables.edit('principals', 'busy-3', { suspended_at: { N: String(n) } });
      };
      await edit();
      const { result, differences } = await reconcile({ meanwhile: edit });
      expect(result).toMatchObject({ differences: 1, undecided: 0 });
      expect(changeOf(differences[0])).toMatchObject({ key: 'busy-3', set: { suspended_at: n } });
      await nothing();
    });

    it('is told at the last look, though another attribute differs at each', async () => {
      await worker('busy-4');
      let n = 0;
      const edit = async (): Promise<void> => {
        n += 1;
        const [set, left] = n % 2 === 0 ? ['status', 'type'] : ['type', 'status'];
        await tables.edit('principals', 'busy-4', {
          [left]: { S: left === 'type' ? 'worker' : 'active' },
          [set]: { S: `other-${n}` },
        });
      };
      await edit();
      const { result, differences } = await reconcile({ meanwhile: edit });
      expect(result).toMatchObject({ differences: 1, undecided: 0 });
      expect(changeOf(differences[0])).toMatchObject({ key: 'busy-4', set: { type: 'other-5' } });
      await nothing();
    });

    it('is told at the last look, though the row is gone at every other', async () => {
      await worker('busy-5');
      const row = (await tables.read('principals', 'busy-5')) ?? {};
      let n = 0;
      const toggle = async (): Promise<void> => {
        n += 1;
        await tables.replace(
          'principals',
          'busy-5',
          n % 2 === 0 ? undefined : { ...row, status: { S: `active-${n}` } },
        );
      };
      await toggle();
      const { result, differences } = await reconcile({ meanwhile: toggle });
      expect(result).toMatchObject({ differences: 1, undecided: 0 });
      expect(changeOf(differences[0])).toMatchObject({ key: 'busy-5', set: { status: 'active-5' } });
      await nothing();
    });

    it('of a row that is told of at each look, the last one late, is no difference', async () => {
      await worker('busy-6');
      let late = [await tables.product('principals', 'busy-6', { set: { suspended_at: 0 } })];
      await tables.edit('principals', 'busy-6', {}, []);
      let n = 0;
      const { result, differences } = await reconcile({
        meanwhile: async () => {
          n += 1;
          // Two changes a minute: what is read at one look is told before the next, and is another by then.
          const between = await tables.product('principals', 'busy-6', { set: { suspended_at: n * 10 } });
          await tables.deliver(...late);
          late = [
            between,
            await tables.product('principals', 'busy-6', { set: { suspended_at: n * 10 + 1, created_at: n } }),
          ];
        },
      });
      expect(differences).toEqual([]);
      expect(result.undecided).toBe(0);
      await tables.deliver(...late);
      await nothing();
    });

    it('does not hide a difference in the same row', async () => {
      await worker('busy-2');
      await tables.edit('principals', 'busy-2', { type: { S: 'admin' } });
      let n = 0;
      let late = [await tables.product('principals', 'busy-2', { set: { suspended_at: n } })];
      const { differences } = await reconcile({
        meanwhile: async () => {
          const before = late;
          n += 1;
          late = [await tables.product('principals', 'busy-2', { set: { suspended_at: n } })];
          await tables.deliver(...before);
        },
      });
      expect(differences).toHaveLength(1);
      expect(changeOf(differences[0])).toMatchObject({
        set: { type: 'admin' },
        before: { type: 'worker' },
        removed: [],
      });
      expect(changeOf(differences[0]).set).toEqual({ type: 'admin' });
      await tables.deliver(...late);
      await nothing();
    });

    it('that undoes the difference leaves none', async () => {
      await worker('undone-1');
      await tables.edit('principals', 'undone-1', { status: { S: 'suspended' } });
      const { differences } = await reconcile({
        meanwhile: async () => {
          await tables.edit('principals', 'undone-1', { status: { S: 'active' } });
        },
      });
      expect(differences).toEqual([]);
    });

    it('is left to the next run where no time is left to look again', async () => {
      await worker('late-1');
      await tables.edit('principals', 'late-1', suspended);
      const { result, waits, differences } = await reconcile({ remaining_ms: () => 100_000 });
      expect({ waits, differences }).toEqual({ waits: 0, differences: [] });
      expect(result).toMatchObject({ differences: 0, undecided: 1 });
      expect((await reconcile()).result).toMatchObject({ differences: 1, undecided: 0 });
    });
  });

  describe('two runs', () => {
    it('at the same time enter a difference once, and count the entries that they made', async () => {
      await fresh();
      await worker('both-1');
      await worker('both-2');
      await tables.edit('principals', 'both-1', suspended);
      await tables.replace('principals', 'both-2', undefined);
      const outcomes = await Promise.all([reconcile({ run: 'a' }), reconcile({ run: 'b' })]);
      expect(outcomes.map(({ result }) => result.differences)).toEqual([2, 2]);
      const entries = await tables.entries();
      expect(
        entries
          .filter(({ action }) => action === 'reconciliation_difference')
          .map(({ subject }) => subject)
          .sort(),
      ).toEqual(['principals/both-1', 'principals/both-2']);
      expect(
        entries
          .filter(({ action }) => action === 'audit_reconciled')
          .map(({ request_id }) => request_id)
          .sort(),
      ).toEqual(['a', 'b']);
      const made = outcomes.map(({ counted }) => counted.audit_entries_total ?? 0);
      expect(made.reduce((sum, n) => sum + n)).toBe(2 + 2);
      await nothing();
    });

    it('of which the first could sign no head enter nothing twice, and sign the head that is due', async () => {
      await fresh();
      await worker('half-1');
      await tables.edit('principals', 'half-1', suspended);
      await expect(reconcile({ run: 'half', broken: true })).rejects.toThrow('no bucket');
      expect(tables.kept.size).toBe(0);
      const { entered } = await reconcile({ run: 'half' });
      expect(entered).toEqual([]);
      const actions = (await tables.entries()).map(({ action }) => action);
      expect(actions.slice(-2)).toEqual(['reconciliation_difference', 'audit_reconciled']);
      expect(newestHead()).toBe(actions.length);
    });

    it('of the same invocation say once that they were made', async () => {
      await reconcile({ run: 'same' });
      expect((await reconcile({ run: 'same' })).entered).toEqual([]);
    });
  });

  describe('a chain that somebody wrote into', () => {
    it('says nothing that the product did not enter', async () => {
      await fresh();
      await worker('forged-1');
      await tables.edit('principals', 'forged-1', suspended);
      const [last] = (await tables.entries()).slice(-1);
      const sequence = (last?.sequence ?? 0) + 1;
      const change = {
        table: 'principals',
        key: 'forged-1',
        set: { status: 'suspended', suspended_reason: 'break glass' },
        removed: [],
      };
      await tables.client.send(
        new PutItemCommand({
          TableName: tableName(tables.deployment, 'audit'),
          Item: {
            chain: { S: auditKeys.chain },
            sequence: { N: String(sequence) },
            entry: { S: JSON.stringify({ ...last, sequence, details: { changes: [change] } }) },
            hash: { S: 'ab'.repeat(32) },
          },
        }),
      );
      const { result, differences } = await reconcile();
      expect(result).toMatchObject({ differences: 1, foreign: 1 });
      expect(differences).toMatchObject([{ subject: 'principals/forged-1' }]);
    });
  });
});
