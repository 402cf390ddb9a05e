import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AttributeValue, Image } from '../../src/audit/attribute.ts';
import { canonicalBytes, noEntry } from '../../src/audit/entry.ts';
import { judge, unreadable } from '../../src/audit/judge.ts';
import type { AuditedTable } from '../../src/names.ts';
import {
  edited,
  type ProductWrite,
  productWrites,
  type StreamRecord,
  someAuthor,
  streamRecords,
} from './stream-records.ts';

const deployment = { name: 'airunner', environment: 'prod' };
const stampKey = randomBytes(32);
const judging = { deployment, stampKey };
const now = Date.UTC(2026, 10, 23, 8, 0, 0);
const time = { at: now };

const product = productWrites(deployment, stampKey);
const record = streamRecords(deployment);

const worker = product('principals', 'worker-1', undefined, {
  action: 'principal_created',
  at: now - 60_000,
  set: { type: 'worker', status: 'active', created_at: now - 60_000, live_serials: [], certificates_version: 0 },
});
const suspension: ProductWrite = {
  action: 'principal_suspended',
  at: now,
  set: { status: 'suspended', suspended_at: now, suspended_reason: 'investigation', suspension: 'a1' },
};
const suspended = product('principals', 'worker-1', worker, suspension);
const text = (S: string): AttributeValue => ({ S });
/** In a Lambda event binary is Base64. */
const binary = (B: string): AttributeValue => JSON.parse(JSON.stringify({ B }));
const number = (N: number | string): AttributeValue => ({ N: String(N) });

const judged = (
  table: AuditedTable,
  before: Image | undefined,
  after: Image | undefined,
  more: { readonly at: number; readonly userIdentity?: unknown } = time,
) => judge(judging, record(table, before, after, more));

describe('a change that the product made', () => {
  it('is entered with who made it, when, and what it changed', () => {
    expect(judged('principals', worker, suspended)).toEqual({
      event_ids: [expect.stringMatching(/^stream:event-\d+$/)],
      time: now,
      action: 'principal_suspended',
      actor: 'admin-1',
      request_id: 'request-1',
      subject: 'principals/worker-1',
      details: {
        changes: [
          {
            table: 'principals',
            key: 'worker-1',
            version: 2,
            set: { status: 'suspended', suspended_at: now, suspended_reason: 'investigation', suspension: 'a1' },
            removed: [],
          },
        ],
      },
    });
  });

  it('is entered when it makes a row, without what is bookkeeping', () => {
    expect(judged('principals', undefined, worker)).toMatchObject({
      action: 'principal_created',
      details: {
        changes: [{ created: true, version: 1, set: { type: 'worker', status: 'active', created_at: now - 60_000 } }],
      },
    });
  });

  it('tells which attributes it removed', () => {
    const activated = product('principals', 'worker-1', suspended, {
      action: 'principal_activated',
      at: now,
      set: { status: 'active' },
      remove: ['suspended_at', 'suspended_reason', 'suspension'],
    });
    expect(judged('principals', suspended, activated)).toMatchObject({
      action: 'principal_activated',
      details: {
        changes: [{ removed: ['suspended_at', 'suspended_reason', 'suspension'], set: { status: 'active' } }],
      },
    });
  });

  it('tells only what it changed of what it set', () => {
    const again = product('principals', 'worker-1', suspended, {
      ...suspension,
      set: { ...suspension.set, suspended_reason: 'still' },
    });
    expect(judged('principals', suspended, again)?.details).toMatchObject({
      changes: [{ set: { suspended_reason: 'still' } }],
    });
  });

  it.each<[string, AuditedTable, string, Image | undefined, Record<string, unknown>]>([
    ['counts certificates', 'principals', 'worker-1', worker, { live_serials: ['01'], certificates_version: 1 }],
    ['takes a lease', 'controls', 'lease#truststore', undefined, { holder: 'x', fence: 1, expires_at: now }],
    ['claims a public key', 'controls', 'key#ab', undefined, { principal_id: 'worker-1' }],
    ['lists an admin', 'controls', 'admins', undefined, { principal_ids: new Set(['a']), version: 1 }],
    ['writes a copy of the generation', 'controls', 'generation#15', undefined, { generation: 1 }],
    ['changes nothing', 'principals', 'worker-1', worker, { status: 'active' }],
  ])('makes no entry when it only %s', (_, table, key, before, set) => {
    const after = product(table, key, before, { action: 'anything', at: now, set });
    expect(judged(table, before, after)).toBeNull();
  });

  it.each<[string, string, Record<string, unknown>, Record<string, unknown>]>([
    ['generation#0', 'generation_raised', { generation: 1 }, { generation: 1 }],
    ['key#ab', 'key_compromised', { principal_id: 'p', compromised: true }, { compromised: true }],
  ])('is entered in controls where it is %s', (key, action, set, shown) => {
    const after = product('controls', key, undefined, { action, at: now, set });
    expect(judged('controls', undefined, after)).toMatchObject({ action, details: { changes: [{ set: shown }] } });
  });

  it('follows a break-glass edit that nobody stamped', () => {
    const touched = edited(worker, { status: text('suspended') });
    const after = product('principals', 'worker-1', touched, { ...suspension, set: { suspended_reason: 'why' } });
    expect(judged('principals', touched, after)).toMatchObject({ action: 'principal_suspended' });
  });

  it.each<[string, AttributeValue]>([
    ['a word', text('x')],
    ['a fraction', number('2.5')],
    ['more than a number can count to', number('9'.repeat(38))],
    ['nothing below one', number(-4)],
    ['the largest that can be counted', number(Number.MAX_SAFE_INTEGER)],
  ])('counts versions anew where somebody typed %s for one', (_, row_version) => {
    const touched = edited(worker, { row_version });
    const after = product('principals', 'worker-1', touched, suspension);
    expect(judged('principals', touched, after)).toMatchObject({
      action: 'principal_suspended',
      details: { changes: [{ version: 1 }] },
    });
  });
});

describe('a change behind the product’s back', () => {
  it('is entered with what stood there before, by nobody known, at the stream’s time', () => {
    const touched = edited(worker, { status: text('suspended'), suspended_reason: text('break glass') });
    expect(judged('principals', worker, touched)).toMatchObject({
      action: 'out_of_band',
      actor: 'unknown',
      request_id: null,
      time: now,
      subject: 'principals/worker-1',
      details: {
        changes: [
          {
            set: { status: 'suspended', suspended_reason: 'break glass' },
            removed: [],
            before: { status: 'active' },
          },
        ],
      },
    });
  });

  it.each<[string, Image]>([
    ['row_version alone', edited(worker, { row_version: number(7) })],
    ['live_serials alone', edited(worker, { live_serials: { L: [text('01')] } })],
    ['an attribute that nobody knows', edited(worker, { note: text('x') })],
    ['a number in its 38th digit', edited(worker, { created_at: number(`${'1'.repeat(37)}2`) })],
    ['the type of a value alone', edited(worker, { status: binary('active') })],
    ['attributes with names of JavaScript’s own', edited(worker, { constructor: text('x'), toString: text('y') })],
  ])('is entered where it touched %s', (_, after) => {
    expect(judged('principals', worker, after)).toMatchObject({ action: 'out_of_band' });
  });

  it('is seen in an attribute called __proto__', () => {
    const after = edited(worker, { ['__proto__']: text('x') });
    const draft = judged('principals', worker, JSON.parse(JSON.stringify(after)));
    expect(draft?.action).toBe('out_of_band');
    expect(JSON.stringify(draft?.details)).toContain('__proto__');
  });

  it.each([37, 38])('is seen in digit %i of a number', (digit) => {
    const digits = '1'.repeat(38);
    const other = `${digits.slice(0, digit - 1)}2${digits.slice(digit)}`;
    const one = edited(worker, { created_at: number(digits) });
    expect(judged('principals', one, edited(one, { created_at: number(other) }))?.action).toBe('out_of_band');
  });

  it('is entered in rows whose verified changes are silent', () => {
    const lease = product('controls', 'lease#x', undefined, { action: 'a', at: now, set: { fence: 1 } });
    expect(judged('controls', lease, edited(lease, { fence: number(9) }))?.action).toBe('out_of_band');
    const copy = product('controls', 'generation#3', undefined, { action: 'a', at: now, set: { generation: 1 } });
    expect(judged('controls', copy, edited(copy, { generation: number(0) }))?.action).toBe('out_of_band');
  });

  it('is entered when it makes a row, even one of a key alone', () => {
    const bare = { principal_id: text('x') };
    expect(judged('principals', undefined, bare)).toMatchObject({
      action: 'out_of_band',
      details: { changes: [{ created: true }] },
    });
  });

  it('is none when nothing changed', () => {
    expect(judged('principals', worker, { ...worker })).toBeNull();
  });

  it('is entered whole where it fits, else by the names of what it touched', () => {
    const names = Array.from({ length: 2_000 }, (_, index) => `attribute-${String(index).padStart(4, '0')}`);
    const huge = edited(worker, Object.fromEntries(names.map((name) => [name, text('x'.repeat(100))])));
    const change = judged('principals', worker, huge)?.details.changes;
    expect(change).toMatchObject([{ truncated: true, set: {}, removed: [], names: names.slice(0, 100) }]);
    expect(JSON.stringify(change).length).toBeLessThan(60_000);
  });

  it('shows no value of more than 1,024 characters', () => {
    const long = edited(worker, { suspended_reason: text('y'.repeat(5_000)) });
    expect(judged('principals', worker, long)?.details).toMatchObject({
      changes: [{ set: { suspended_reason: { hmac: expect.stringMatching(/^[0-9a-f]{32}$/) } } }],
    });
  });
});

describe('a forged stamp', () => {
  const forged = (before: Image | undefined, after: Image, at = now) => judged('principals', before, after, { at });

  it.each<[string, Image | undefined, Image, RegExp]>([
    [
      'is sealed under another key',
      worker,
      productWrites(deployment, randomBytes(32))('principals', 'worker-1', worker, suspension),
      /seal/,
    ],
    [
      'was made for another deployment',
      worker,
      productWrites({ ...deployment, environment: 'dev' }, stampKey)('principals', 'worker-1', worker, suspension),
      /seal/,
    ],
    [
      'was moved from another row',
      worker,
      edited(worker, {
        ...product('principals', 'worker-2', edited(worker, { principal_id: text('worker-2') }), suspension),
        principal_id: text('worker-1'),
      }),
      /seal/,
    ],
    ['has another actor', worker, withStamp(suspended, { actor: text('admin-2') }), /seal/],
    ['has another action', worker, withStamp(suspended, { action: text('principal_activated') }), /seal/],
    ['has another request', worker, withStamp(suspended, { request_id: text('request-2') }), /seal/],
    ['has another time', worker, withStamp(suspended, { at: number(now + 1) }), /seal/],
    ['has another seal', worker, withStamp(suspended, { mac: text('AAAA') }), /seal/],
    ['has an empty seal', worker, withStamp(suspended, { mac: text('') }), /seal/],
    ['stands on values that it did not set', worker, edited(suspended, { suspended_reason: text('other') }), /seal/],
    ['stands on a value of another type', worker, edited(suspended, { status: binary('suspended') }), /seal/],
    ['lacks a value that it set', worker, edited(suspended, {}, ['suspended_reason']), /seal/],
    ['has another version', worker, edited(suspended, { row_version: number(3) }), /seal/],
    ['has a version of another type', worker, edited(suspended, { row_version: text('2') }), /seal/],
    ['has no version', worker, edited(suspended, {}, ['row_version']), /seal/],
    ['does not cover an attribute', worker, edited(suspended, { type: text('admin') }), /cover/],
    ['does not cover a removed attribute', worker, edited(suspended, {}, ['created_at']), /cover/],
    ['does not cover an attribute that is new', worker, edited(suspended, { note: text('x') }), /cover/],
    ['does not cover bookkeeping', worker, edited(suspended, { live_serials: { L: [] }, x: text('') }), /cover/],
    ['is that of an earlier version, put back', suspended, worker, /row_version is 1 where 3 was due/],
    ['skips a version', edited(worker, { row_version: number(5) }), suspended, /row_version is 2 where 6 was due/],
    ['was removed', worker, edited(worker, { status: text('suspended') }, ['stamp']), /removed/],
    ['was removed, and nothing else', worker, edited(worker, {}, ['stamp']), /removed/],
    ['is a word', worker, edited(worker, { stamp: text('stamp') }), /malformed/],
    ['lacks a part', worker, edited(suspended, { stamp: { M: { actor: text('admin-1') } } }), /malformed/],
    ['says more than a stamp does', worker, withStamp(suspended, { more: text('x') }), /malformed/],
    ['has a number of 200 digits', worker, withStamp(suspended, { at: number('9'.repeat(200)) }), /malformed/],
  ])('is found out that %s', (_, before, after, why) => {
    expect(forged(before, after)).toMatchObject({
      action: 'stamp_forged',
      actor: 'unknown',
      request_id: null,
      details: { why: expect.stringMatching(why), changes: [{ table: 'principals', key: 'worker-1' }] },
    });
  });

  it('is found out when a deleted row is put back with the stamp it had', () => {
    expect(forged(undefined, worker, now + 5 * 60_000)).toMatchObject({
      action: 'stamp_forged',
      details: { why: expect.stringMatching(/another time/) },
    });
  });

  it('is none within five minutes, either way, as clocks differ and writes wait', () => {
    expect(forged(undefined, worker, now - 60_000 + 299_000)?.action).toBe('principal_created');
    expect(forged(undefined, worker, now - 60_000 - 299_000)?.action).toBe('principal_created');
  });

  it('has no part in a change that leaves the stamp alone', () => {
    expect(forged(suspended, edited(suspended, { status: text('active') }))?.action).toBe('out_of_band');
  });

  it('is found out whatever of a stamped row is changed', () => {
    const names = Object.keys(suspended).filter((name) => name !== 'principal_id');
    fc.assert(
      fc.property(fc.constantFrom(...names), attributes, (name, value) => {
        const after = edited(suspended, { [name]: value });
        fc.pre(JSON.stringify(after) !== JSON.stringify(suspended));
        const draft = forged(worker, after);
        // NULL for NULL: what was changed may be what had not been changed.
        expect(draft?.action).toBe(sameAsBefore(name, value) ? 'out_of_band' : 'stamp_forged');
      }),
    );
  });

  const sameAsBefore = (name: string, value: AttributeValue): boolean =>
    name === 'stamp' && JSON.stringify(value) === JSON.stringify(worker.stamp);
});

function withStamp(row: Image, parts: Readonly<Record<string, AttributeValue>>): Image {
  return edited(row, { stamp: { M: { ...row.stamp?.M, ...parts } } });
}

const { attribute: attributes } = fc.letrec<{ attribute: AttributeValue }>((tie) => ({
  attribute: fc.oneof(
    { maxDepth: 3 },
    fc.string().map((S) => ({ S })),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((N) => ({ N: String(N) })),
    fc.bigInt().map((N) => ({ N: String(N) })),
    fc.boolean().map((BOOL) => ({ BOOL })),
    fc.constant({ NULL: true as const }),
    fc.base64String().map(binary),
    fc.array(fc.string(), { minLength: 1 }).map((SS) => ({ SS })),
    fc.array(fc.integer(), { minLength: 1 }).map((all) => ({ NS: all.map(String) })),
    fc.array(tie('attribute'), { maxLength: 3 }).map((L) => ({ L })),
    fc.dictionary(fc.string(), tie('attribute'), { maxKeys: 3 }).map((M) => ({ M })),
  ),
}));

describe('a deletion', () => {
  const marked = product('principals', 'worker-1', worker, { action: 'principal_deleted', at: now });

  it('of the product’s is entered once, as what it was called', () => {
    expect(judged('principals', worker, marked)).toBeNull();
    expect(judged('principals', marked, undefined)).toMatchObject({
      action: 'principal_deleted',
      actor: 'admin-1',
      subject: 'principals/worker-1',
      details: { changes: [{ table: 'principals', key: 'worker-1', deleted: true, set: {}, removed: [] }] },
    });
  });

  it('of the product’s makes no entry where the row was bookkeeping', () => {
    const lease = product('controls', 'lease#x', undefined, { action: 'lease_deleted', at: now, set: { fence: 1 } });
    expect(judged('controls', lease, undefined)).toBeNull();
  });

  it.each<[string, Image]>([
    ['without a stamp', { principal_id: text('worker-1'), status: text('active') }],
    ['with the stamp of something else', suspended],
    ['with a stamp that does not fit', edited(marked, { row_version: number(9) })],
    ['with a malformed stamp', edited(marked, { stamp: text('principal_deleted') })],
  ])('of a row %s is out of band, and tells what was lost', (_, before) => {
    expect(judged('principals', before, undefined)).toMatchObject({
      action: 'out_of_band',
      actor: 'unknown',
      details: { changes: [{ deleted: true, before: { status: before.status?.S } }] },
    });
  });

  it('that comes long after its stamp is out of band', () => {
    expect(judged('principals', marked, undefined, { at: now + 301_000 })?.action).toBe('out_of_band');
  });

  describe('by DynamoDB, of what it takes for expired,', () => {
    const userIdentity = { type: 'Service', principalId: 'dynamodb.amazonaws.com' };
    const over = { expires: { N: String(Math.floor(now / 1_000) - 60) } };
    const token = { endpoint_id: text(`token#${'ab'.repeat(32)}`), ...over };
    const expired = (table: AuditedTable, before: Image, more: object = {}) =>
      judged(table, before, undefined, { at: now, userIdentity, ...more });

    it('is DynamoDB’s where the row’s kind has such an end, and it was over', () => {
      expect(expired('endpoints', token)).toMatchObject({
        action: 'row_expired',
        actor: 'dynamodb.amazonaws.com',
        details: { changes: [{ deleted: true }] },
      });
    });

    it('is out of band where the row’s kind has none: somebody gave the table a time to live', () => {
      const lost = { action: 'out_of_band', actor: 'unknown', details: { why: 'the row was not to expire yet' } };
      expect(expired('principals', edited(worker, over))).toMatchObject(lost);
      expect(expired('endpoints', { ...token, endpoint_id: text('web-1') })).toMatchObject(lost);
      expect(expired('endpoints', { ...token, endpoint_id: text('fleet#token#1') })).toMatchObject(lost);
      expect(expired('controls', { control_id: text('key#ab'), ...over })).toMatchObject(lost);
    });

    it.each([
      ['is in the future', { N: String(Math.ceil(now / 1_000) + 2) }],
      ['is no number', text('1')],
      ['is missing', undefined],
    ])('is out of band where the end %s: somebody chose another attribute', (_, expires) => {
      const { expires: _expires, ...rest } = token;
      const before: Image = { ...rest, used_by: { N: '1' }, ...(expires === undefined ? {} : { expires }) };
      expect(expired('endpoints', before)?.action).toBe('out_of_band');
    });

    it('is out of band when somebody else did it', () => {
      const other = { userIdentity: { type: 'Service', principalId: 'somebody.example' } };
      expect(expired('endpoints', token, other)?.action).toBe('out_of_band');
      expect(expired('endpoints', token, { userIdentity: undefined })?.action).toBe('out_of_band');
    });
  });

  it('is the only thing that time to live explains', () => {
    const userIdentity = { type: 'Service', principalId: 'dynamodb.amazonaws.com' };
    const after = edited(worker, { status: text('suspended') });
    expect(judged('principals', worker, after, { at: now, userIdentity })?.action).toBe('out_of_band');
  });
});

describe('a secret', () => {
  const secret = 'hunter2-hunter2';
  const holds = (draft: unknown): boolean => JSON.stringify(draft).includes(secret.slice(0, 8));

  it.each<[AuditedTable, string, string]>([
    ['principals', 'worker-1', 'note'],
    ['certificates', '01ab', 'pem'],
    ['endpoints', 'e', 'token'],
    ['jobs', 'j', 'payload'],
    ['credentials', 'c', 'password'],
    ['controls', 'lease#x', 'holder'],
    ['controls', 'anything', 'value'],
  ])('in %s %s is not shown, whoever wrote it', (table, key, name) => {
    for (const value of [secret, { inner: [secret] }, new Set([secret])]) {
      const written = product(table, key, undefined, { action: 'written', at: now, set: { [name]: value } });
      const changed = edited(written, { [name]: { M: { x: text(`${secret}!`) } } });
      for (const draft of [
        judged(table, undefined, written),
        judged(table, written, changed),
        judged(table, written, undefined),
        judged(table, undefined, edited(written, {}, ['stamp'])),
      ])
        expect(holds(draft)).toBe(false);
    }
  });

  it('is told apart from another one in the same place, and not found in another place', () => {
    const shown = (key: string, value: string) =>
      judged('credentials', undefined, { credential_id: text(key), password: text(value) })?.details.changes;
    const hmac = (changes: unknown) => /"hmac":"([0-9a-f]+)"/.exec(JSON.stringify(changes))?.[1];
    expect(hmac(shown('a', 'one'))).toBe(hmac(shown('a', 'one')));
    expect(hmac(shown('a', 'one'))).not.toBe(hmac(shown('a', 'two')));
    expect(hmac(shown('a', 'one'))).not.toBe(hmac(shown('b', 'one')));
  });

  it('does not stand in what is entered of a record that cannot be read', () => {
    const broken = { ...record('credentials', undefined, { credential_id: text('c') }, time), eventName: secret };
    expect(() => judge(judging, broken)).toThrow();
    let thrown: unknown;
    try {
      judge(judging, broken);
    } catch (error) {
      thrown = error;
    }
    expect(holds(unreadable(broken, thrown, now))).toBe(false);
  });
});

describe('whatever stands in a record', () => {
  /** As the function does it. */
  const entered = (broken: unknown) => {
    try {
      return judge(judging, broken);
    } catch (error) {
      return unreadable(broken, error, now);
    }
  };
  const isEntry = (draft: ReturnType<typeof judge>): boolean =>
    draft === null ||
    (draft.event_ids.length === 1 &&
      canonicalBytes({
        ...draft,
        event_ids: [...draft.event_ids],
        sequence: 1,
        appended_at: now,
        previous: noEntry,
      }) !== '');

  it('any value of any type in any attribute is judged, and is no product write', () => {
    const names = fc.oneof(fc.constantFrom(...Object.keys(suspended)), fc.string({ minLength: 1 }));
    fc.assert(
      fc.property(names, attributes, (name, value) => {
        fc.pre(name !== 'principal_id');
        for (const [before, after] of [
          [worker, edited(worker, { [name]: value })],
          [edited(worker, { [name]: value }), worker],
          [undefined, edited(worker, { [name]: value })],
          [edited(worker, { [name]: value }), undefined],
        ] as const) {
          const draft = judged('principals', before, after);
          expect(isEntry(draft)).toBe(true);
          expect(['out_of_band', 'stamp_forged', 'principal_created', undefined]).toContain(draft?.action);
        }
      }),
    );
  });

  it('anything at all in any place of it becomes an entry', () => {
    const whole = record('principals', worker, suspended, time);
    const places: ((broken: StreamRecord, value: unknown) => unknown)[] = [
      (_, value) => value,
      (one, value) => ({ ...one, eventID: value }),
      (one, value) => ({ ...one, eventName: value }),
      (one, value) => ({ ...one, eventSourceARN: value }),
      (one, value) => ({ ...one, userIdentity: value }),
      (one, value) => ({ ...one, dynamodb: value }),
      ...['ApproximateCreationDateTime', 'Keys', 'OldImage', 'NewImage'].map(
        (name) => (one: StreamRecord, value: unknown) => ({ ...one, dynamodb: { ...one.dynamodb, [name]: value } }),
      ),
      (one, value) => ({
        ...one,
        dynamodb: { ...one.dynamodb, NewImage: { ...one.dynamodb.NewImage, status: value } },
      }),
      (one, value) => ({
        ...one,
        dynamodb: { ...one.dynamodb, NewImage: { ...one.dynamodb.NewImage, stamp: { M: value } } },
      }),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue(), (place, value) => {
        expect(isEntry(entered(place(whole, value)))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, (one: StreamRecord) => unknown]>([
    [
      'of a table that is not audited',
      (one) => ({ ...one, eventSourceARN: one.eventSourceARN.replace('principals', 'audit') }),
    ],
    ['of another deployment', (one) => ({ ...one, eventSourceARN: one.eventSourceARN.replace('prod', 'dev') })],
    ['without images', ({ dynamodb: { OldImage, NewImage, ...dynamodb }, ...one }) => ({ ...one, dynamodb })],
    [
      'with an attribute of two types',
      (one) => ({ ...one, dynamodb: { ...one.dynamodb, NewImage: { ...worker, x: { S: 'a', N: '1' } } } }),
    ],
    [
      'with a number that is none',
      (one) => ({ ...one, dynamodb: { ...one.dynamodb, NewImage: { ...worker, status: { N: 'NaN' } } } }),
    ],
  ])('a record %s says so in an entry, under its own id', (_, breaking) => {
    const whole = record('principals', worker, suspended, time);
    const broken = breaking(whole);
    expect(entered(broken)).toMatchObject({
      event_ids: [`stream:${whole.eventID}`],
      action: 'record_unreadable',
      actor: 'unknown',
      subject: expect.stringContaining('arn:aws:dynamodb'),
      details: { error: expect.stringMatching(/Error$/) },
    });
  });

  it('two records without an id are two, and each is itself when it comes again', () => {
    const idOf = (broken: unknown) => entered(broken)?.event_ids[0];
    expect(idOf({ a: 1 })).toBe(idOf({ a: 1 }));
    expect(idOf({ a: 1 })).not.toBe(idOf({ a: 2 }));
    expect(idOf(undefined)).toMatch(/^stream:[0-9a-f]{64}$/);
  });
});

it('the author of these tests’ stamps is whom the entries name', () => {
  expect(judged('principals', worker, suspended)?.actor).toBe(someAuthor.actor);
});
