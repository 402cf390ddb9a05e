/** Policies: what may be said, what is filled in, what is refused by the name of its field. */
import { describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/errors.ts';
import { parseFields } from '../../src/http/input.ts';
import {
  checkPolicy,
  completePolicy,
  policyInputSchema,
  policySchema,
  presetPolicy,
} from '../../src/renewal/policy.ts';
import { isPreset, presetNames } from '../../src/renewal/presets.ts';
import { acme, policyWith } from './policy.ts';

const now = Date.parse('2026-11-23T10:00:00Z');
const complete = (body: unknown, at = now) => completePolicy(parseFields(policyInputSchema, body, 'body'), at);
const refusal = (body: unknown, at = now): InvalidInput => {
  try {
    complete(body, at);
  } catch (error) {
    if (error instanceof InvalidInput) return error;
    throw error;
  }
  throw new Error('it was not refused');
};

describe('the presets', () => {
  it.each([
    ['47-day', 47, 10, false],
    ['100-day', 100, 20, false],
    ['200-day', 200, 30, false],
    ['mtls', 365, 30, true],
  ])(
    '%s is the runbook’s: %i days, renewed %i days before',
    (name, lifetime_days, renewal_window_days, client_auth) => {
      expect(presetPolicy(name)).toMatchObject({
        ca: { kind: 'private' },
        challenge: 'none',
        lifetime_days,
        renewal_window_days,
        client_auth,
      });
      expect(isPreset(name)).toBe(true);
    },
  );
  it('are these four and nothing else', () => {
    expect(presetNames).toEqual(['47-day', '100-day', '200-day', 'mtls']);
    for (const name of ['toString', '__proto__', 'constructor', '']) {
      expect(presetPolicy(name)).toBeUndefined();
      expect(isPreset(name)).toBe(false);
    }
  });
});

describe('a policy', () => {
  it('needs a lifetime and a window, or a preset; the rest is filled in', () => {
    expect(complete({ lifetime_days: 30, renewal_window_days: 7 })).toEqual({
      policy: {
        ca: { kind: 'private' },
        lifetime_days: 30,
        renewal_window_days: 7,
        challenge: 'none',
        client_auth: false,
        key_type: 'ec-p256',
        contact: [],
        retries: 3,
        timeouts_seconds: { csr: 3600, challenge: 1800, deploy: 1800, validate: 600 },
        maintenance_windows: [],
      },
      warnings: [],
    });
    expect(refusal({ renewal_window_days: 7 }).field).toBe('lifetime_days');
    expect(refusal({ lifetime_days: 30 }).field).toBe('renewal_window_days');
  });
  it('takes from a preset what it does not say itself', () => {
    expect(complete({ preset: '47-day', renewal_window_days: 15 }).policy).toMatchObject({
      lifetime_days: 47,
      renewal_window_days: 15,
    });
  });
  it('of a public CA is proven by http-01 unless it says otherwise, and has an account', () => {
    const { directory } = acme;
    expect(complete({ preset: '47-day', ca: { kind: 'acme', directory } }).policy).toMatchObject({
      ca: { kind: 'acme', directory, account: 'default' },
      challenge: 'http-01',
    });
  });
  it('keeps every field that is said', () => {
    const said = {
      ca: {
        ...acme,
        account: 'web',
        eab_secret_arn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:airunner/prod/zerossl-AbCdEf',
        profile: 'tlsserver',
      },
      lifetime_days: 45,
      renewal_window_days: 12,
      challenge: 'dns-01',
      client_auth: false,
      key_type: 'rsa-3072',
      contact: ['ops@example.com'],
      retries: 0,
      timeouts_seconds: { csr: 5, challenge: 86400, deploy: 6, validate: 7 },
      maintenance_windows: [{ days: ['sun'], from: '01:00', to: '03:00' }],
    };
    expect(complete(said).policy).toEqual(said);
    expect(policySchema.parse(JSON.parse(JSON.stringify(said)))).toEqual(said);
  });

  it.each([
    [{ ca: { kind: 'public' } }, 'ca.kind'],
    [{ ca: { kind: 'acme' } }, 'ca.directory'],
    ...[
      'http://acme.example.com/dir',
      'https://u:p@acme.example.com/dir',
      'https://acme.example.com/dir#x',
      'https://acme.example.com',
      'https://ACME.example.com/dir',
      'acme.example.com',
      'file:///etc/passwd',
    ].map((directory): [object, string] => [{ ca: { kind: 'acme', directory } }, 'ca.directory']),
    [{ ca: { ...acme, eab_secret_arn: 'hmac-key' } }, 'ca.eab_secret_arn'],
    [{ ca: { ...acme, eab_hmac: 'x' } }, 'ca.eab_hmac'],
    [{ ca: { ...acme, account: '../x' } }, 'ca.account'],
    [{ lifetime_days: 0 }, 'lifetime_days'],
    [{ lifetime_days: 398 }, 'lifetime_days'],
    [{ lifetime_days: 1.5 }, 'lifetime_days'],
    [{ lifetime_days: '47' }, 'lifetime_days'],
    [{ renewal_window_days: 0 }, 'renewal_window_days'],
    [{ renewal_window_days: 47 }, 'renewal_window_days'],
    [{ lifetime_days: 10 }, 'renewal_window_days'],
    [{ challenge: 'tls-alpn-01' }, 'challenge'],
    [{ challenge: 'http-01' }, 'challenge'],
    [{ ca: acme, challenge: 'none' }, 'challenge'],
    [{ ca: acme, client_auth: true }, 'client_auth'],
    [{ ca: acme, preset: 'mtls', lifetime_days: 90 }, 'client_auth'],
    [{ key_type: 'rsa-1024' }, 'key_type'],
    [{ contact: ['nobody'] }, 'contact.0'],
    [{ contact: Array(6).fill('a@example.com') }, 'contact'],
    [{ retries: -1 }, 'retries'],
    [{ retries: 11 }, 'retries'],
    [{ timeouts_seconds: { csr: 4 } }, 'timeouts_seconds.csr'],
    [{ timeouts_seconds: { csr: 86_401 } }, 'timeouts_seconds.csr'],
    [{ timeouts_seconds: { issue: 60 } }, 'timeouts_seconds.issue'],
    [{ maintenance_windows: [{ days: ['sun'], from: '01:00' }] }, 'maintenance_windows.0.to'],
    [{ preset: '48-day' }, 'preset'],
    [{ preset: 'toString' }, 'preset'],
    [{ reload: ['rm', '-rf', '/'] }, 'reload'],
  ] satisfies [object, string][])('is refused with %j, naming %s', (wrong, field) => {
    expect(refusal({ preset: '47-day', ...wrong }).field).toBe(field);
  });
});

describe('the calendar', () => {
  it('binds policies of a public CA', () => {
    expect(refusal({ preset: 'mtls', client_auth: false, ca: acme })).toMatchObject({
      field: 'lifetime_days',
      message: expect.stringMatching(/^200-day-limit/),
    });
    expect(complete({ preset: '200-day', ca: acme }).warnings.map(({ name }) => name)).toEqual([
      '100-day-limit',
      '47-day-limit',
    ]);
    expect(refusal({ preset: '200-day', ca: acme }, Date.parse('2027-03-15')).field).toBe('lifetime_days');
  });
  it('does not bind those of the private one', () => {
    expect(complete({ preset: 'mtls' }, Date.parse('2030-01-01')).warnings).toEqual([]);
  });
  it('refuses on the day of issue what it allowed when it was written', () => {
    const policy = policyWith({ preset: '200-day', ca: acme });
    expect(() => checkPolicy(policy, Date.parse('2027-03-14T23:59:59Z'))).not.toThrow();
    expect(() => checkPolicy(policy, Date.parse('2027-03-15'))).toThrow(/100-day-limit/);
  });
});
