/** The bytes of an entry: written in one way only, and read without a schema exactly as the schema would. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Entry, entryBytes, entryHash, entrySchema, readEntry, readEnvelope } from '../../src/audit/entry.ts';

const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
const whole = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const details = fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value)));
const entries: fc.Arbitrary<Entry> = fc.record({
  sequence: whole,
  time: whole,
  appended_at: whole,
  action: fc.string({ unit: 'binary' }),
  actor: fc.string(),
  request_id: fc.option(fc.string()),
  subject: fc.string({ unit: 'grapheme' }),
  details,
  event_ids: fc.array(fc.string()),
  previous: hash,
  seal: fc.string(),
});

const example: Entry = {
  sequence: 2,
  time: 1_700_000_000_000,
  appended_at: 1_700_000_000_500,
  action: 'principal_suspended',
  actor: 'admin-bootstrap',
  request_id: null,
  subject: 'principals/worker-1',
  details: { changes: [{ table: 'principals', key: 'worker-1', set: { b: 1, a: 'é' }, removed: [] }] },
  event_ids: ['stream:1'],
  previous: 'a'.repeat(64),
  seal: 'AAAAAAAAAAAAAAAAAAAAAA',
};

it('is written as one line of JSON: fields by name, the details last, each of them canonical', () => {
  expect(entryBytes(example)).toBe(
    `{"action":"principal_suspended","actor":"admin-bootstrap","appended_at":1700000000500,"event_ids":["stream:1"],"previous":"${'a'.repeat(64)}","request_id":null,"seal":"AAAAAAAAAAAAAAAAAAAAAA","sequence":2,"subject":"principals/worker-1","time":1700000000000,"details":{"changes":[{"key":"worker-1","removed":[],"set":{"a":"é","b":1},"table":"principals"}]}}`,
  );
  expect(entryHash(entryBytes(example))).toBe(
    createHash('sha256').update(Uint8Array.of(0)).update(entryBytes(example), 'utf8').digest('hex'),
  );
});

it('reads what it wrote, whatever an entry says, and any JSON reader does', () => {
  fc.assert(
    fc.property(entries, (entry) => {
      const bytes = entryBytes(entry);
      const { details: said, ...envelope } = entry;
      expect(readEntry(bytes)).toEqual(entry);
      expect(readEnvelope(bytes)).toEqual(envelope);
      expect(JSON.parse(bytes)).toEqual(entry);
      // Whatever stands in a text, the details begin where they begin.
      expect(bytes.endsWith(`,"details":${canonicalize(said)}}`)).toBe(true);
    }),
  );
});

it('reads nothing that the schema refuses', () => {
  const anything = fc.oneof(fc.constant(undefined), fc.jsonValue(), fc.double(), hash, whole);
  fc.assert(
    fc.property(entries, fc.constantFrom(...Object.keys(example), 'more'), anything, (entry, name, value) => {
      const { details: said, ...envelope } = { ...entry, [name]: value };
      // As the writer would write it, were it an entry.
      const rest = said === undefined ? '' : `,"details":${JSON.stringify(said)}`;
      const bytes = `${canonicalize(JSON.parse(JSON.stringify(envelope)))?.slice(0, -1)}${rest}}`;
      const parsed = entrySchema.safeParse(JSON.parse(bytes));
      expect(readEntry(bytes)).toEqual(parsed.success ? parsed.data : null);
    }),
    { numRuns: 1_000 },
  );
});

it.each([
  ['', 'nothing'],
  ['null', 'null'],
  ['[]', 'a list'],
  ['{"details":{}}', 'details alone'],
  [JSON.stringify(example), 'another order'],
  [`${entryBytes(example)} `, 'something behind'],
  [entryBytes(example).slice(0, -1), 'its end missing'],
  [entryBytes(example).replace('"details":{', '"details":{,'), 'broken details'],
  [entryBytes(example).replace(',"details":{', ',"details":{},"details":{'), 'two details'],
  [entryBytes(example).replace('"sequence":2', '"sequenze":2'), 'another field'],
])('is not read from %s (%s)', (bytes) => {
  expect(readEntry(bytes)).toBeNull();
});

it('takes the link on trust only where it is the one that is due', () => {
  const bytes = entryBytes({ ...example, previous: 'nothing' });
  expect(readEnvelope(bytes)).toBeNull();
  expect(readEnvelope(bytes, 'a'.repeat(64))).toBeNull();
});
