import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PresentedCertificate, parseCertificate } from '../../src/access/certificate.ts';
import { decide, type Item, type Records } from '../../src/access/decide.ts';
import {
  anotherKey,
  deployment,
  fingerprintOf,
  goodRecords,
  makeCertificate,
  now,
  principalId,
  serial,
  serverAuth,
  spiffe,
  uri,
  type Wish,
} from './certificates.ts';

type Rows = { -readonly [K in keyof Records]: Records[K] };
const read = (pem: string): PresentedCertificate => {
  const certificate = parseCertificate(pem);
  if (!certificate) throw new Error('the test made an unreadable certificate');
  return certificate;
};
const pem = await makeCertificate();
const good = read(pem);

/** The good records, with attributes set over (or, undefined, taken away from) their items. */
const rows = (changes: { [K in keyof Records]?: Item | undefined | null } = {}, base = goodRecords(pem)): Records => {
  const records: Rows = { ...base };
  for (const key of ['principal', 'certificate', 'generation'] as const) {
    if (changes[key] === null) records[key] = undefined;
    else
      records[key] = Object.fromEntries(
        Object.entries({ ...base[key], ...changes[key] }).filter(([, value]) => value !== undefined),
      );
  }
  return records;
};
const answer = (records: Records, certificate = good, at = now): string => {
  const decision = decide(deployment, certificate, records, at);
  return decision.outcome === 'deny' ? decision.message : decision.outcome;
};

/** Everything that no attribute of ours is. */
const oddValues = [
  undefined,
  null,
  'active',
  true,
  [],
  {},
  { S: 1 },
  { S: null },
  { N: 3 },
  { N: '3.5' },
  { N: '-1' },
  { N: '1e3' },
  { N: '' },
  { N: ' 3' },
  { N: 'NaN' },
  { N: '9999999999999999' },
  { BOOL: 'false' },
  { BOOL: 0 },
  { BOOL: true },
  { NULL: true },
  { M: {} },
  { L: [] },
  { SS: 'x' },
  { B: 'AA==' },
];

describe('an active principal with its own live certificate', () => {
  it('is let in, and handed on with the current generation', () => {
    expect(decide(deployment, good, rows({ certificate: { generation: { N: '5' } } }), now)).toEqual({
      outcome: 'allow',
      principal_id: principalId,
      principal_type: 'worker',
      serial_number: serial,
      generation: 3,
    });
  });

  it.each(['admin', 'operator', 'auditor', 'worker', 'service', 'user'])('of type %s is let in', async (type) => {
    const mine = await makeCertificate({ sans: [uri(`spiffe://airunner.prod/${type}/${principalId}`)] });
    expect(answer(rows({ principal: { type: { S: type } } }, goodRecords(mine)), read(mine))).toBe('allow');
  });
});

describe('certificate unknown', () => {
  it('without a row, or with another certificate’s fingerprint', () => {
    expect(answer(rows({ certificate: null }))).toBe('certificate unknown');
    for (const fingerprint of ['00'.repeat(32), good.fingerprint.toUpperCase(), good.fingerprint.slice(2), ''])
      expect(answer(rows({ certificate: { fingerprint: { S: fingerprint } } }))).toBe('certificate unknown');
  });

  it.each(['fingerprint', 'generation', 'expires_at'])('with a row whose %s is missing or of a wrong type', (name) => {
    for (const value of oddValues)
      expect(answer(rows({ certificate: { [name]: value } })), JSON.stringify(value)).toBe('certificate unknown');
    expect(answer(rows({ certificate: { [name]: { N: '3', S: good.fingerprint } } }))).toBe('certificate unknown');
  });

  it('for the row that a mistyped break-glass edit creates', () => {
    const partial = { serial_number: { S: serial }, revoked: { BOOL: false }, revoked_at: { N: '1' } };
    expect(answer({ ...rows(), certificate: partial })).toBe('certificate unknown');
  });

  it('marks a foreign certificate with a known serial number, and nothing else', async () => {
    const forged = await makeCertificate({}, anotherKey.privateKey);
    expect(decide(deployment, read(forged), rows(), now)).toMatchObject({
      message: 'certificate unknown',
      foreign: true,
    });
    expect(decide(deployment, good, rows({ certificate: null }), now)).toMatchObject({ foreign: false });
    expect(decide(deployment, good, rows({ certificate: { fingerprint: undefined } }), now)).toMatchObject({
      foreign: false,
    });
  });

  it('even where the same CA signed the same words again', async () => {
    const again = await makeCertificate();
    expect(fingerprintOf(again)).not.toBe(good.fingerprint);
    expect(decide(deployment, read(again), rows(), now)).toMatchObject({
      message: 'certificate unknown',
      foreign: true,
    });
  });
});

describe('certificate does not match principal', () => {
  const wishes: [string, Wish][] = [
    ['without client authentication', { usages: [serverAuth] }],
    ['without any extended usage', { usages: [] }],
    ['a CA', { ca: true }],
    ['several common names', { subject: `CN=${principalId}, CN=${principalId}` }],
    ['several common names in one RDN', { subject: [{ CN: [principalId, 'admin-bootstrap'] }] }],
    ['another common name', { subject: 'CN=admin-bootstrap' }],
    ['no common name', { subject: '' }],
    ['no SAN', { sans: [] }],
    ['a DNS SAN beside', { sans: [uri(spiffe), { type: 'dns', value: 'a.example' }] }],
    ['the SAN twice', { sans: [uri(spiffe), uri(spiffe)] }],
    ['another principal’s SAN', { sans: [uri('spiffe://airunner.prod/worker/worker-prod-02')] }],
    ['another type’s SAN', { sans: [uri(`spiffe://airunner.prod/admin/${principalId}`)] }],
    ['no type’s SAN', { sans: [uri(`spiffe://airunner.prod/root/${principalId}`)] }],
    ['another deployment’s SAN', { sans: [uri(`spiffe://airunner.dev/worker/${principalId}`)] }],
    ['another name’s SAN', { sans: [uri(`spiffe://everleaf.prod/worker/${principalId}`)] }],
    ['a SAN with more behind', { sans: [uri(`${spiffe}/x`)] }],
    ['a SAN in other case', { sans: [uri(spiffe.toUpperCase())] }],
  ];
  it.each(wishes)('%s', async (_, wish) => {
    const other = await makeCertificate(wish);
    expect(answer(rows({}, goodRecords(other)), read(other))).toBe('certificate does not match principal');
  });

  it('where the row is another principal’s, or nobody’s', () => {
    for (const value of [{ S: 'worker-prod-02' }, { S: '' }, ...oddValues])
      expect(answer(rows({ certificate: { principal_id: value } }))).toBe('certificate does not match principal');
  });
});

describe('principal unknown', () => {
  it('where its row is gone', () => {
    expect(answer(rows({ principal: null }))).toBe('principal unknown');
  });

  it('but not for a SAN that no type would have', async () => {
    const other = await makeCertificate({ sans: [uri(`spiffe://airunner.prod/root/${principalId}`)] });
    expect(answer(rows({ principal: null }, goodRecords(other)), read(other))).toBe(
      'certificate does not match principal',
    );
  });
});

describe('certificate revoked by emergency', () => {
  const raised = (more: Item = {}) =>
    rows({ generation: { generation: { N: '4' }, reason: { S: 'CA compromise' }, ...more } });

  it('says the emergency’s reason and counts as revoked', () => {
    expect(decide(deployment, good, raised(), now)).toMatchObject({
      message: 'certificate revoked by emergency: CA compromise',
      result: 'revoked',
      revocation_reason: 'CA compromise',
    });
  });

  it('spares exempt serials, letter by letter', () => {
    expect(answer(raised({ exempt_serials: { SS: ['00', serial] } }))).toBe('allow');
    for (const exempt of [[], [serial.toUpperCase()], [`0${serial}`], [serial.slice(1)], [[serial]]])
      expect(answer(raised({ exempt_serials: { SS: exempt } }))).toBe(
        'certificate revoked by emergency: CA compromise',
      );
  });

  it('without a reason says that the record is invalid', () => {
    for (const value of oddValues)
      expect(answer(raised({ reason: value }))).toBe('certificate revoked by emergency: record invalid');
  });
});

describe('principal suspended', () => {
  const reason = { suspended_reason: { S: 'Compromised credentials detected' } };

  it('says the reason of the row', () => {
    expect(decide(deployment, good, rows({ principal: { status: { S: 'suspended' }, ...reason } }), now)).toMatchObject(
      {
        message: 'principal suspended: Compromised credentials detected',
        result: 'suspended',
        principal_type: 'worker',
      },
    );
  });

  it('for any status but the string active', () => {
    for (const value of [
      { S: 'Active' },
      { S: 'active ' },
      { S: '' },
      { SS: ['active'] },
      { S: 'active', N: '1' },
      ...oddValues,
    ]) {
      expect(answer(rows({ principal: { status: value } }))).toBe('principal suspended: record invalid');
      expect(answer(rows({ principal: { status: value, ...reason } }))).toBe(
        'principal suspended: Compromised credentials detected',
      );
    }
  });

  it('for any type but the six, as an invalid record', () => {
    for (const value of [
      { S: 'root' },
      { S: 'Worker' },
      { S: '__proto__' },
      { S: 'constructor' },
      { SS: ['worker'] },
      ...oddValues,
    ])
      expect(decide(deployment, good, rows({ principal: { type: value } }), now)).toMatchObject({
        message: 'principal suspended: record invalid',
        principal_type: 'unknown',
      });
  });

  it('for the row that a mistyped break-glass edit creates', () => {
    const partial = { principal_id: { S: principalId }, status: { S: 'active' } };
    expect(answer({ ...rows(), principal: partial })).toBe('principal suspended: record invalid');
  });
});

describe('certificate revoked', () => {
  it('says the reason of the row', () => {
    const revoked = rows({ certificate: { revoked: { BOOL: true }, revocation_reason: { S: 'key_compromise' } } });
    expect(decide(deployment, good, revoked, now)).toMatchObject({
      message: 'certificate revoked: key_compromise',
      result: 'revoked',
      revocation_reason: 'key_compromise',
    });
  });

  it('for anything but the boolean false', () => {
    for (const value of [{ S: 'false' }, { N: '0' }, { BOOL: false, S: 'x' }, ...oddValues])
      expect(answer(rows({ certificate: { revoked: value } }))).toBe('certificate revoked: record invalid');
  });
});

describe('certificate expired', () => {
  it('by its row, to the millisecond', () => {
    const until = (ms: number) => rows({ certificate: { expires_at: { N: String(ms) } } });
    expect(answer(until(now + 1))).toBe('allow');
    expect(answer(until(now))).toBe('certificate expired');
    expect(answer(until(0))).toBe('certificate expired');
  });

  it('by itself, whatever its row says', async () => {
    const short = await makeCertificate({ notAfter: new Date(now) });
    expect(answer(rows({}, goodRecords(short)), read(short))).toBe('certificate expired');
    expect(answer(rows({}, goodRecords(short)), read(short), now - 1)).toBe('allow');
  });

  it('where the clock tells nothing', () => {
    expect(answer(rows(), good, Number.NaN)).toBe('certificate expired');
  });
});

describe('unavailable', () => {
  it('without a generation item, or with one that is no generation, before any denial', () => {
    expect(answer(rows({ generation: null }))).toBe('unavailable');
    expect(answer(rows({ generation: null, certificate: null, principal: null }))).toBe('unavailable');
    for (const value of oddValues)
      expect(answer(rows({ certificate: null, generation: { generation: value } })), JSON.stringify(value)).toBe(
        'unavailable',
      );
  });

  it('where the exempt serials are not a set of strings', () => {
    for (const value of oddValues.filter((odd) => odd !== undefined))
      expect(answer(rows({ generation: { exempt_serials: value } }))).toBe('unavailable');
  });
});

describe('the first denial that applies is told', () => {
  /** Each step breaks one more thing; with all of the later ones broken too, its own answer must come. */
  const steps: [string, { [K in keyof Records]?: Item }][] = [
    ['certificate unknown', { certificate: { fingerprint: { S: 'x' } } }],
    ['certificate does not match principal', { certificate: { principal_id: { S: 'x' } } }],
    ['certificate revoked by emergency: e', { generation: { generation: { N: '9' }, reason: { S: 'e' } } }],
    ['principal suspended: s', { principal: { status: { S: 'suspended' }, suspended_reason: { S: 's' } } }],
    ['certificate revoked: r', { certificate: { revoked: { BOOL: true }, revocation_reason: { S: 'r' } } }],
    ['certificate expired', { certificate: { expires_at: { N: '1' } } }],
  ];
  it.each(steps.map(([words], index) => [words, index] as const))('%s', (words, index) => {
    const all: Record<string, Item> = {};
    for (const [, change] of steps.slice(index))
      for (const [key, value] of Object.entries(change)) all[key] = { ...all[key], ...value };
    expect(answer(rows(all))).toBe(words);
  });

  it('principal unknown, before an emergency', () => {
    expect(answer(rows({ principal: null, generation: { generation: { N: '9' } } }))).toBe('principal unknown');
  });
});

describe('reasons that nobody validated', () => {
  const told = (reason: string): string =>
    answer(rows({ principal: { status: { S: 'suspended' }, suspended_reason: { S: reason } } })).replace(
      /^principal suspended: /,
      '',
    );

  it('are cut to 256 characters, of whatever planes', () => {
    expect(told('x'.repeat(10_000))).toBe('x'.repeat(256));
    expect([...told('😀'.repeat(10_000))]).toHaveLength(256);
    expect(told('y'.repeat(256))).toBe('y'.repeat(256));
  });

  it('lose control characters and broken letters, keep quotes and backslashes', () => {
    expect(told('a\nb\0c\u001bd\u0085e\u2028f\u202eg')).toBe('a b c d e f g');
    expect(told('a\ud800b\udc00c')).toBe('a b c');
    expect(told('say "no" \\ \'never\'')).toBe('say "no" \\ \'never\'');
  });

  it('that say nothing are an invalid record', () => {
    for (const reason of ['', '   ', '\n\n\0', '\ud800']) expect(told(reason)).toBe('record invalid');
  });
});

describe('for arbitrary rows and certificates', () => {
  const oneOf = <T>(...values: T[]) => fc.constantFrom(...values);
  const odd = fc.oneof(fc.constantFrom(...oddValues), fc.jsonValue());
  /** Mostly the right value, so that allows occur, else a near miss or anything. */
  const mostly = (right: unknown, ...near: unknown[]) =>
    fc.oneof({ weight: 12, arbitrary: fc.constant(right) }, { weight: 2, arbitrary: oneOf(...near, undefined) }, odd);

  const certificates = fc.record({
    serial_number: oneOf(serial, serial, serial, '01'),
    fingerprint: oneOf(good.fingerprint, good.fingerprint, good.fingerprint, '00'.repeat(32)),
    commonName: fc.oneof(
      { weight: 9, arbitrary: fc.constant(principalId) },
      oneOf('admin', undefined, `${principalId}\n`, ''),
    ),
    uri: fc.oneof(
      { weight: 9, arbitrary: fc.constant(spiffe) },
      oneOf(undefined, `spiffe://airunner.prod/admin/${principalId}`, 'spiffe://airunner.prod/worker/x', `${spiffe}/`),
      fc.string(),
    ),
    clientAuth: oneOf(true, true, true, true, false),
    ca: oneOf(false, false, false, false, true),
    notAfter: oneOf(now + 1, now + 1e9, now + 1e9, now, now - 1, Number.NaN),
  });
  const item = (attributes: Record<string, fc.Arbitrary<unknown>>) =>
    fc.oneof(
      { weight: 12, arbitrary: fc.record(attributes) },
      fc.constant(undefined),
      fc.dictionary(fc.string(), fc.jsonValue()),
    );
  const records = fc.record({
    principal: item({
      principal_id: fc.constant({ S: principalId }),
      status: mostly({ S: 'active' }, { S: 'suspended' }, { S: 'ACTIVE' }),
      type: mostly({ S: 'worker' }, { S: 'admin' }, { S: 'nobody' }),
      suspended_reason: mostly(undefined, { S: 'x' }),
    }),
    certificate: item({
      serial_number: fc.constant({ S: serial }),
      principal_id: mostly({ S: principalId }, { S: 'x' }),
      fingerprint: mostly({ S: good.fingerprint }, { S: good.fingerprint.toUpperCase() }),
      generation: mostly({ N: '3' }, { N: '2' }, { N: '4' }),
      expires_at: mostly({ N: String(now + 1e6) }, { N: String(now) }, { N: '5' }),
      revoked: mostly({ BOOL: false }, { BOOL: true }, { S: 'false' }),
      revocation_reason: mostly(undefined, { S: 'x' }),
    }),
    generation: item({
      generation: mostly({ N: '3' }, { N: '4' }, { N: '0' }),
      reason: mostly(undefined, { S: 'x' }),
      exempt_serials: mostly({ SS: [serial] }, { SS: ['01'] }, { SS: [] }, { L: [] }),
    }),
  });

  // The gate's contract again, in other words: exact JSON instead of readers of attributes. An instant or a generation
  // has at most 15 digits; what has more was not written by the product.
  const is = (value: unknown, expected: unknown) => JSON.stringify(value) === JSON.stringify(expected);
  const digits = (value: unknown): bigint =>
    BigInt(/^\{"N":"(\d{1,15})"\}$/.exec(JSON.stringify(value) ?? '')?.[1] ?? -1n);
  const conditions = (
    certificate: PresentedCertificate,
    { principal: p = {}, certificate: c = {}, generation: g = {} }: Records,
  ) => ({
    fingerprint: is(c.fingerprint, { S: certificate.fingerprint }),
    clientAuth: certificate.clientAuth,
    notCa: !certificate.ca,
    commonName: is(c.principal_id, { S: certificate.commonName }) && certificate.commonName === principalId,
    type: /^\{"S":"(admin|operator|auditor|worker|service|user)"\}$/.test(JSON.stringify(p.type) ?? ''),
    san: is(p.type, { S: /^spiffe:\/\/airunner\.prod\/(.*)\/worker-prod-01$/.exec(certificate.uri ?? '')?.[1] }),
    active: is(p.status, { S: 'active' }),
    unrevoked: is(c.revoked, { BOOL: false }),
    unexpired: digits(c.expires_at) > BigInt(now) && certificate.notAfter > now,
    generation:
      digits(g.generation) >= 0n &&
      digits(c.generation) >= 0n &&
      (digits(c.generation) >= digits(g.generation) ||
        (JSON.stringify(g.exempt_serials) ?? '').includes(`"${certificate.serial_number}"`)),
  });

  it('an allow implies every condition of the contract, and names what was read', () => {
    let allows = 0;
    fc.assert(
      fc.property(certificates, records, (certificate, rows_) => {
        const decision = decide(deployment, certificate, rows_, now);
        if (decision.outcome !== 'allow') return;
        allows++;
        for (const [name, holds] of Object.entries(conditions(certificate, rows_))) expect(holds, name).toBe(true);
        expect(decision.principal_id).toBe(principalId);
        expect(decision.serial_number).toBe(certificate.serial_number);
        expect(rows_.principal?.type).toEqual({ S: decision.principal_type });
        expect(rows_.generation?.generation).toEqual({ N: String(decision.generation) });
      }),
      { numRuns: 20_000 },
    );
    expect(allows).toBeGreaterThan(20);
  });

  it('a refusal means that a condition fails, and its words are one of the contract’s', () => {
    const words =
      /^(certificate unknown|certificate does not match principal|principal unknown|certificate expired|(certificate revoked by emergency|principal suspended|certificate revoked): .{1,256})$/u;
    fc.assert(
      fc.property(certificates, records, (certificate, rows_) => {
        const decision = decide(deployment, certificate, rows_, now);
        if (decision.outcome !== 'deny') return;
        expect(decision.message).toMatch(words);
        expect(Object.values(conditions(certificate, rows_))).toContain(false);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is a function of its arguments and changes none of them', () => {
    fc.assert(
      fc.property(certificates, records, (certificate, rows_) => {
        const before = JSON.stringify([certificate, rows_]);
        const first = decide(deployment, certificate, rows_, now);
        expect(decide(deployment, certificate, rows_, now)).toEqual(first);
        expect(JSON.stringify([certificate, rows_])).toBe(before);
      }),
    );
  });
});
