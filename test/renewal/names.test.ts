/** Names that certificates may hold, and hosts that may be dialled. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  coversName,
  dnsNameSchema,
  hostSchema,
  isDnsName,
  nameSchema,
  namesSchema,
  unfit,
} from '../../src/renewal/names.ts';
import { acme, policyWith } from './policy.ts';

const parse = (text: string): string | undefined => nameSchema.safeParse(text).data;
const why = (text: string): string | undefined => nameSchema.safeParse(text).error?.issues[0]?.message;

describe('a name', () => {
  it.each([
    'example.com',
    'a.b.c.example.com',
    'db01',
    'localhost',
    'x-1.example.com',
    '1and1.example',
    'xn--mnchen-3ya.example',
    'xn--fa-hia.de',
    '*.example.com',
    '*.xn--mnchen-3ya.example',
    `${'a'.repeat(63)}.example`,
    '192.0.2.1',
    '10.0.0.1',
    '2001:db8::1',
    '::1',
  ])('may be %s', (text) => {
    expect(parse(text)).toBe(text);
  });
  it.each([
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
  ])('%s is kept as %s', (text, kept) => {
    expect(parse(text)).toBe(kept);
  });
  it.each([
    '',
    '.',
    'example.com.',
    '.example.com',
    'a..b',
    'Example.com',
    'münchen.example',
    'пример.рф',
    'exa_mple.com',
    '-a.example',
    'a-.example',
    'a b.example',
    'a\n.example',
    'a\u0000.example',
    'example.com/x',
    'https://example.com',
    'example.com:443',
    'user@example.com',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(126)}aa`,
    '*',
    '*.com',
    '*.*.example.com',
    'a.*.example.com',
    'a*.example.com',
    '*.192.0.2.1',
    '*.example.com.',
    '256.1.1.1',
    '1.2.3',
    '1.2.3.04',
    '0x7f.1',
    'a.0x7f',
    '127.1',
    '2130706433',
    'fe80::1%eth0',
    '[::1]',
    'xn--a.example',
    'xn--.example',
    'xn--zz--.example',
    'xn--a-ecp.ru',
    'ab--c.example',
    '１.example',
  ])('may not be %j', (text) => {
    expect(parse(text)).toBeUndefined();
  });
  it('that is international says how to write it', () => {
    expect(why('münchen.example')).toBe('must be written in ASCII: xn--mnchen-3ya.example');
  });
  it('means the same host to a URL parser, whatever it is', () => {
    const text = fc.oneof(fc.domain(), fc.ipV4(), fc.string({ maxLength: 20 }), fc.webAuthority());
    fc.assert(
      fc.property(text, (some) => {
        if (isDnsName(some)) expect(new URL(`https://${some}/`).hostname).toBe(some);
      }),
    );
  });
});

describe('names', () => {
  const issue = (names: unknown): string | undefined => namesSchema.safeParse(names).error?.issues[0]?.message;
  it('are 1 to 100, each once', () => {
    const many = Array.from({ length: 100 }, (_, n) => `n${n}.example`);
    expect(namesSchema.parse(many)).toEqual(many);
    expect(issue([])).toBe('must name at least one');
    expect(issue([...many, 'one.more.example'])).toBe('must be at most 100 names');
    expect(issue(['a.example', 'a.example'])).toBe('must name each once');
    expect(issue(['::1', '0:0::1'])).toBe('must name each once');
  });
  it('begin with one that fits a common name', () => {
    const long = `${'a'.repeat(60)}.example`;
    expect(issue([long, 'a.example'])).toMatch(/common name/);
    expect(issue(['a.example', long])).toBeUndefined();
  });
});

it('a host is no wildcard, and a server name neither wildcard nor address', () => {
  expect(hostSchema.safeParse('*.example.com').success).toBe(false);
  expect(hostSchema.parse('2001:DB8::1')).toBe('2001:db8::1');
  for (const text of ['*.example.com', '192.0.2.1', '::1', 'A.example'])
    expect(dnsNameSchema.safeParse(text).success).toBe(false);
  expect(dnsNameSchema.parse('a.example')).toBe('a.example');
});

it.each([
  ['a.example', 'a.example', true],
  ['*.example', 'a.example', true],
  ['*.example', 'example', false],
  ['*.example', 'b.a.example', false],
  ['*.example.com', 'aexample.com', false],
  ['a.example', 'b.example', false],
])('a certificate for %s is for %s: %s', (pattern, name, covers) => {
  expect(coversName(pattern, name)).toBe(covers);
});

describe('what a policy can issue', () => {
  const http = policyWith({ ca: acme });
  const dns = policyWith({ ca: acme, challenge: 'dns-01' });
  it.each([
    [['*.example.com'], policyWith(), null],
    [['localhost', '10.0.0.1'], policyWith(), null],
    [['a.example.com'], http, null],
    [['192.0.2.1'], http, null],
    [['a.example.com', '*.example.com'], http, /^\*\.example\.com needs .* dns-01/],
    [['a.example.com', '*.example.com'], dns, null],
    [['192.0.2.1'], dns, /address/],
    [['localhost'], http, /no public name/],
  ] as const)('%j', (names, policy, message) => {
    if (message === null) expect(unfit(names, policy)).toBeNull();
    else expect(unfit(names, policy)).toMatch(message);
  });
});
