/** What of which row is worth an entry, and what an entry shows of it: declared for every table, by the kind of row. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toImage } from '../../src/audit/attribute.ts';
import { copies, expiryOf, isBookkeeping, originalOf, showValue } from '../../src/audit/audited.ts';
import { declare, rows } from '../../src/audit/declared.ts';
import { type AuditedTable, auditedTables, tableKeys } from '../../src/names.ts';

const key = randomBytes(32);
const value = 'hunter2';
const hidden = { hmac: expect.stringMatching(/^[0-9a-f]{32}$/) };
const shownIn = (table: AuditedTable, rowKey: string, name: string): unknown =>
  showValue(key, table, rowKey, name, { S: value });

describe('of a row', () => {
  const token = `token#${'ab'.repeat(32)}`;

  it.each<[AuditedTable, string, readonly string[]]>([
    ['principals', 'worker-1', ['status', 'suspended_reason']],
    ['certificates', '01ab', ['principal_id', 'revoked', 'sans']],
    ['controls', 'generation#0', ['generation', 'reason', 'exempt_serials']],
    ['controls', 'generation#15', ['generation', 'reason', 'exempt_serials']],
    ['controls', 'key#ab', ['compromised']],
    ['endpoints', 'web-1', ['names', 'host', 'port', 'policy_id', 'agent_id', 'deployer', 'current']],
    ['endpoints', 'policy#mine', ['ca', 'lifetime_days', 'challenge', 'maintenance_windows']],
    ['endpoints', 'fleet#edge', ['endpoint_ids', 'closed']],
    ['jobs', 'job-1', ['status', 'reason', 'attempt', 'endpoint_id', 'policy_id', 'requested_by']],
  ])('%s/%s an entry shows %j', (table, rowKey, names) => {
    for (const name of names) expect([name, shownIn(table, rowKey, name)]).toEqual([name, value]);
  });

  it.each<[AuditedTable, string, readonly string[]]>([
    ['certificates', '01ab', ['pem']],
    ['controls', 'generation#0', ['note']],
    ['controls', 'generation#16', ['generation']],
    ['controls', 'generation#07', ['generation']],
    ['endpoints', 'policy#mine', ['contact']],
    ['endpoints', token, ['token', 'kind', 'fleet', 'used_by']],
    ['endpoints', 'agent#worker-1', ['version', 'endpoints']],
    ['jobs', 'job-1', ['task_token', 'task', 'csr', 'pem', 'policy']],
    ['credentials', 'any', ['secret', 'status']],
  ])('%s/%s an entry never shows %j', (table, rowKey, names) => {
    for (const name of names) {
      expect(shownIn(table, rowKey, name)).toEqual(hidden);
      // Nor by a name that every object has.
      expect(shownIn(table, rowKey, '__proto__')).toEqual(hidden);
      expect(shownIn(table, rowKey, 'constructor')).toEqual(hidden);
    }
  });

  it.each<[AuditedTable, string, readonly string[]]>([
    ['principals', 'worker-1', ['live_serials']],
    ['controls', 'lease#truststore', ['holder', 'anything']],
    ['controls', 'admins', ['version', 'anything']],
    ['controls', 'generation#3', ['generation', 'anything']],
    ['controls', 'key#ab', ['principal_id']],
    ['endpoints', 'agent#worker-1', ['last_heartbeat_at', 'version', 'endpoints', 'anything']],
    ['endpoints', 'web-1', ['live_job', 'updated_at', 'expiry_bucket']],
    ['endpoints', token, ['expires', 'listing']],
    ['jobs', 'job-1', ['history', 'task', 'task_token']],
  ])('%s/%s the product’s own writes of %j are silent', (table, rowKey, names) => {
    for (const name of names) expect([name, isBookkeeping(table, rowKey, name)]).toEqual([name, true]);
  });

  it.each<[AuditedTable, string, readonly string[]]>([
    ['principals', 'worker-1', ['status', 'anything']],
    ['certificates', '01ab', ['pem', 'anything']],
    ['controls', 'generation#0', ['generation']],
    ['controls', 'generation#16', ['generation']],
    ['controls', 'leases', ['holder']],
    ['controls', 'admins#2', ['version']],
    ['controls', 'key#ab', ['compromised', 'anything']],
    ['controls', 'enrolment', ['closed']],
    ['endpoints', 'agents', ['version']],
    ['endpoints', 'web-1', ['host', 'anything']],
    ['endpoints', token, ['revoked', 'used_by']],
    ['jobs', 'job-1', ['status', 'csr', 'anything']],
    ['credentials', 'any', ['anything']],
  ])('%s/%s every write of %j is an entry', (table, rowKey, names) => {
    for (const name of names) expect([name, isBookkeeping(table, rowKey, name)]).toEqual([name, false]);
  });

  it('the key itself, the stamp and the version are never worth an entry', () => {
    for (const table of auditedTables)
      for (const name of [tableKeys[table], 'stamp', 'row_version']) expect(isBookkeeping(table, 'x', name)).toBe(true);
  });

  it('an end is declared for tokens only, so that no other row can be said to have expired', () => {
    expect(expiryOf('endpoints', token)).toBe('expires');
    const others = ['x', 'policy#token#', 'fleet#x', 'agent#x', 'token', 'generation#1', 'lease#x', 'key#x', 'admins'];
    for (const table of auditedTables) for (const one of others) expect(expiryOf(table, one)).toBeUndefined();
  });
});

describe('the copies of the generation', () => {
  it('are fifteen, each of the first row, and shown as it is, so that a difference can be read', () => {
    expect(copies).toHaveLength(15);
    expect(new Set(copies.map(({ key: copy }) => copy)).size).toBe(15);
    for (const { table, key: copy, original } of copies) {
      expect([table, original, originalOf(table, copy)]).toEqual(['controls', 'generation#0', 'generation#0']);
      expect(shownIn(table, copy, 'generation')).toEqual(shownIn(table, original, 'generation'));
    }
  });

  it('are no other rows', () => {
    for (const one of ['generation#0', 'generation#16', 'generation#1 ', 'generation#*', '*', 'constructor'])
      expect(originalOf('controls', one)).toBeUndefined();
    expect(originalOf('principals', 'generation#1')).toBeUndefined();
  });
});

describe('a declaration by patterns', () => {
  const named = (name: string) => declare([], [name]);
  const { of } = rows({
    '*': named('any'),
    'a#*': named('a'),
    'a#b#*': named('ab'),
    'a#b#c': named('abc'),
    exact: named('exact'),
  });

  it.each([
    ['a#b#c', 'abc'],
    ['a#b#cd', 'ab'],
    ['a#b#', 'ab'],
    ['a#b', 'a'],
    ['a#', 'a'],
    ['a', 'any'],
    ['exact', 'exact'],
    ['exactly', 'any'],
    ['', 'any'],
    ['__proto__', 'any'],
    ['constructor', 'any'],
  ])('holds for %j by the longest that fits: %s', (rowKey, expected) => {
    expect([...of(rowKey).shown]).toEqual([expected]);
  });
});

describe('a value', () => {
  it('is told from another by whoever has the key, and is the same only in the same place', () => {
    const [one, other] = ['one', 'other'].map((S) => showValue(key, 'certificates', 'a', 'pem', { S }));
    expect(one).toEqual(hidden);
    expect(one).not.toEqual(other);
    expect(showValue(key, 'certificates', 'b', 'pem', { S: 'one' })).not.toEqual(one);
    expect(showValue(randomBytes(32), 'certificates', 'a', 'pem', { S: 'one' })).not.toEqual(one);
  });

  it('that is too long is not shown', () => {
    const { reason } = toImage({ reason: 'x'.repeat(2_000) });
    expect(reason && showValue(key, 'controls', 'generation#0', 'reason', reason)).toEqual(hidden);
  });
});
