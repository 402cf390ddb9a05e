/** Rows of the endpoints table, whatever somebody typed into them: never a crash, never better than they are. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAgent } from '../../src/endpoint/agent.ts';
import { parseEndpoint, viewEndpoint } from '../../src/endpoint/endpoint.ts';
import { parseFleet, viewFleet } from '../../src/endpoint/fleet.ts';
import { whole } from '../../src/endpoint/get-endpoint.ts';
import { asPreset, parsePolicy, viewPolicy } from '../../src/endpoint/policy.ts';
import { parseToken, tokenStatus, viewToken } from '../../src/endpoint/token.ts';
import { Conflict } from '../../src/errors.ts';
import { policyWith } from '../renewal/policy.ts';

const anything = fc.oneof(
  fc.anything(),
  fc.constantFrom('agent', 'function', 'single', 'fleet', true, false, null, 443, 1e300, Number.NaN),
);
const anyRow = (key: string, names: readonly string[]) =>
  fc
    .record(Object.fromEntries(names.map((name) => [name, anything])), { requiredKeys: [] })
    .map((row): Record<string, unknown> => ({ ...row, endpoint_id: key }));

const current = {
  fingerprint: 'ab'.repeat(32),
  serial_number: '01aa',
  not_before: 1_000,
  not_after: 2_000,
  issuer: 'CN=airunner prod CA',
};
const endpoint = {
  endpoint_id: 'web-1',
  names: ['web.example.com'],
  host: 'web.example.com',
  port: 443,
  server_name: 'web.example.com',
  fleet_id: 'web',
  agent_id: 'agent-web-01',
  policy_id: '47-day',
  validate_from: 'function',
  deployer: { kind: 'agent' },
  current,
  live_job: '01bb',
  created_at: 5,
  updated_at: 6,
};
const own = { listing: 'endpoint', row_version: 3, stamp: { actor: 'a' }, expires_at: 2_000, expiry_bucket: 'x' };

describe('the row of an endpoint', () => {
  it('as the product writes it is shown as it is, with the end of its certificate', () => {
    expect(viewEndpoint(parseEndpoint({ ...endpoint, ...own }))).toEqual({ ...endpoint, expires_at: 2_000 });
    expect(whole(parseEndpoint({ ...endpoint, ...own }))).toMatchObject(endpoint);
  });
  it.each([
    ['names', []],
    ['names', ['Not A Name']],
    ['names', undefined],
    ['host', 7],
    ['port', 0],
    ['port', '443'],
    ['policy_id', '../x'],
    ['validate_from', 'nowhere'],
    ['deployer', { kind: 'shell', command: ['rm'] }],
    ['current', { fingerprint: 'x' }],
    ['agent_id', ['a']],
    ['created_at', 'noon'],
  ])('with %s edited to %j is shown without it, and is not renewed', (name, value) => {
    const edited = parseEndpoint({ ...endpoint, [name]: value });
    const { [name as 'host']: _gone, ...rest } = endpoint;
    expect(viewEndpoint(edited)).toEqual({
      ...rest,
      ...(name === 'current' ? {} : { expires_at: 2_000 }),
      invalid: [name],
    });
    expect(() => whole(edited)).toThrow(Conflict);
    expect(() => whole(edited)).toThrow(name);
  });
  it('never crashes a read', () => {
    fc.assert(
      fc.property(anyRow('web-1', Object.keys(endpoint)), (row) => {
        const parsed = parseEndpoint(row);
        JSON.stringify(viewEndpoint(parsed));
        if (parsed.invalid.length > 0) expect(() => whole(parsed)).toThrow(Conflict);
      }),
    );
  });
});

describe('the row of a policy', () => {
  const stored = { ...policyWith({ contact: ['ops@example.com'] }), created_at: 5, updated_at: 6 };
  const row = { ...stored, endpoint_id: 'policy#web', listing: 'policy', row_version: 1 };
  it('as the product writes it is shown as it is', () => {
    expect(viewPolicy(parsePolicy(row))).toEqual({ policy_id: 'web', ...stored });
  });
  it.each([
    ['lifetime_days', 1_000],
    ['renewal_window_days', 47],
    ['challenge', 'http-01'],
    ['ca', { kind: 'acme' }],
    ['timeouts_seconds', undefined],
    ['client_auth', 'yes'],
  ])('with %s edited to %j issues nothing, and says what is wrong', (name, value) => {
    const parsed = parsePolicy({ ...row, [name]: value });
    expect(parsed.policy).toBeNull();
    expect(viewPolicy(parsed)).toEqual({ policy_id: 'web', created_at: 5, updated_at: 6, invalid: [name] });
  });
  it('never crashes a read', () => {
    fc.assert(
      fc.property(anyRow('policy#web', Object.keys(stored)), (edited) => {
        const { policy, invalid } = parsePolicy(edited);
        expect(policy === null).toBe(invalid.length > 0);
      }),
    );
  });
  it('is not needed for a preset', () => {
    const preset = asPreset('mtls');
    expect(preset && viewPolicy(preset)).toMatchObject({ policy_id: 'mtls', preset: true, lifetime_days: 365 });
    expect(asPreset('web')).toBeUndefined();
  });
});

describe('the row of a fleet', () => {
  const row = {
    endpoint_id: 'fleet#web',
    endpoint_ids: ['web-*'],
    poll_after_seconds: 60,
    closed: false,
    created_at: 5,
  };
  it('as the product writes it is shown as it is', () => {
    const { endpoint_id: _key, ...rest } = row;
    expect(viewFleet(parseFleet(row))).toEqual({ fleet_id: 'web', ...rest });
  });
  it('edited to nonsense is closed and owns nothing', () => {
    expect(parseFleet({ ...row, closed: 'no', endpoint_ids: 'web-*', poll_after_seconds: 1 })).toMatchObject({
      closed: true,
      endpoint_ids: [],
      poll_after_seconds: 900,
    });
    fc.assert(
      fc.property(anyRow('fleet#web', Object.keys(row)), (edited) => {
        expect(parseFleet(edited).closed).toBe(edited.closed !== false);
      }),
    );
  });
});

describe('the row of a token', () => {
  const fleet = parseFleet({ endpoint_id: 'fleet#web', endpoint_ids: ['web-*'], closed: false, created_at: 5 });
  const row = {
    endpoint_id: `token#${'a'.repeat(64)}`,
    fleet: 'web',
    fleet_created_at: 5,
    kind: 'single',
    endpoint_ids: ['web-*'],
    revoked: false,
    created_at: 10,
    created_by: 'olga',
    expires_at: 100,
  };
  const status = (more: Record<string, unknown>, now = 50, of = fleet) =>
    tokenStatus(parseToken({ ...row, ...more }), of, now);

  it('as the product writes it lets a node in until it ends', () => {
    expect([status({}), status({}, 99), status({}, 100)]).toEqual(['open', 'open', 'expired']);
    expect(viewToken(parseToken(row), fleet, 50)).toEqual({
      token_id: 'a'.repeat(64),
      kind: 'single',
      endpoint_ids: ['web-*'],
      created_at: 10,
      created_by: 'olga',
      expires_at: 100,
      status: 'open',
    });
  });
  it.each([
    [{ revoked: true }, 'revoked'],
    [{ revoked: 'no' }, 'revoked'],
    [{ revoked: undefined }, 'revoked'],
    [{ used_by: 'agent-web-01' }, 'used'],
    [{ used_by: 'agent-web-01', kind: 'fleet' }, 'open'],
    [{ kind: 'fleet', expires_at: undefined }, 'open'],
    [{ expires_at: 'never' }, 'expired'],
    [{ fleet: 'db' }, 'foreign'],
    [{ fleet: undefined }, 'foreign'],
    [{ fleet_created_at: 4 }, 'foreign'],
    [{ fleet_created_at: undefined }, 'foreign'],
    [{ kind: 'any', used_by: 'x' }, 'used'],
  ])('with %j is %s', (more, expected) => {
    expect(status(more)).toBe(expected);
  });
  it('lets nobody into a closed fleet, or into one whose record lost when it was made', () => {
    expect(status({}, 50, { ...fleet, closed: true })).toBe('closed');
    const { created_at: _lost, ...lost } = fleet;
    expect(status({ fleet_created_at: undefined }, 50, lost)).toBe('foreign');
  });
  it('edited to nonsense owns nothing and never crashes a read', () => {
    expect(parseToken({ ...row, endpoint_ids: '*' }).endpoint_ids).toEqual([]);
    fc.assert(
      fc.property(anyRow(row.endpoint_id, Object.keys(row)), (edited) => {
        JSON.stringify(viewToken(parseToken(edited), fleet, 50));
        if (edited.revoked !== false) expect(tokenStatus(parseToken(edited), fleet, 50)).not.toBe('open');
      }),
    );
  });
});

describe('the row of an agent', () => {
  const row = {
    endpoint_id: 'agent#agent-web-01',
    fleet: 'web',
    last_heartbeat_at: 7,
    version: '0.1.0',
    endpoints: [{ endpoint_id: 'web-1', fingerprint: 'ab', not_after: 9 }],
  };
  it('is what its heartbeats said', () => {
    const { endpoint_id: _key, fleet, ...rest } = row;
    expect(parseAgent(row)).toEqual({ agent_id: 'agent-web-01', fleet_id: fleet, ...rest });
  });
  it('never crashes a read', () => {
    fc.assert(fc.property(anyRow('agent#a', Object.keys(row)), (edited) => void parseAgent(edited)));
    expect(parseAgent({ endpoint_id: 'agent#a' })).toEqual({ agent_id: 'a', endpoints: [] });
  });
});
