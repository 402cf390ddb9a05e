/** `endpoint`, `policy`, `fleet` and `inventory` as typed, against a real TLS server: what they send is what the routes take. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completeEndpoint, endpointInputSchema } from '../../src/endpoint/endpoint-settings.ts';
import { fleetInputSchema } from '../../src/endpoint/fleet.ts';
import { asPreset, viewPolicy } from '../../src/endpoint/policy.ts';
import { newToken, tokenIdOf, tokenInputSchema } from '../../src/endpoint/token.ts';
import { completePolicy, policyInputSchema } from '../../src/renewal/policy.ts';
import { type Connected, openConnected } from './connected.ts';

let c: Connected;
beforeEach(async () => {
  c = await openConnected();
});
afterEach(() => c.close());

const at = Date.parse('2024-12-25T10:30:00Z');
const base = '/api/v1/identity';
const asked = () => c.server.asked.map(({ method, url, body }) => [method, url, body === '' ? null : JSON.parse(body)]);

const endpoint = {
  endpoint_id: 'web-1',
  ...completeEndpoint(
    endpointInputSchema.parse({ names: ['web.example.com', '::1'], fleet_id: 'web', policy_id: '47-day' }),
  ),
};
const current = { fingerprint: 'ab'.repeat(32), serial_number: '01aa', not_before: 1, not_after: at, issuer: 'CN=CA' };

describe('endpoint', () => {
  it('put sends what is said and nothing else, and prints what the server made of it', async () => {
    c.server.answer = () => ({ status: 201, body: { ...endpoint, warnings: [] } });
    const { code, out, err } = await c.everleaf(
      'endpoint put web-1 --dns-name web.example.com --dns-name ::1 --fleet=web --policy 47-day',
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(
      [
        'Endpoint: web-1',
        'Names: web.example.com, ::1',
        'Address: web.example.com:443',
        'Server Name: web.example.com',
        'Policy: 47-day',
        'Fleet: web',
        'Deployed By: agent',
        'Validated From: function',
        '',
      ].join('\n'),
    );
    const body = { names: ['web.example.com', '::1'], fleet_id: 'web', policy_id: '47-day' };
    expect(asked()).toEqual([['PUT', `${base}/endpoints/web-1`, body]]);
  });
  it('put says all that an endpoint may be told, as the route takes it', async () => {
    c.server.answer = () => ({ body: { ...endpoint, host: '2001:db8::7', warnings: [] } });
    const arn = 'arn:aws:acm:eu-central-1:123456789012:certificate/1-2';
    const { out } = await c.everleaf(
      `endpoint put web-1 --dns-name a.example.com --policy p --fleet web --agent agent-web-01 --host 2001:db8::7 --port 8443 --server-name a.example.com --validate-from agent --acm-certificate ${arn}`,
    );
    expect(out).toContain('Address: [2001:db8::7]:443\n');
    expect(endpointInputSchema.parse(asked()[0]?.[2])).toEqual({
      names: ['a.example.com'],
      policy_id: 'p',
      fleet_id: 'web',
      agent_id: 'agent-web-01',
      host: '2001:db8::7',
      port: 8443,
      server_name: 'a.example.com',
      validate_from: 'agent',
      deployer: { kind: 'acm', certificate_arn: arn },
    });
  });
  it('put takes a file in place of options, never both', async () => {
    c.server.answer = () => ({ body: { ...endpoint, warnings: [] } });
    writeFileSync(c.session.file('web.json'), JSON.stringify({ names: ['x.example.com'], policy_id: 'p' }));
    expect((await c.everleaf('endpoint put web-1 --file=~/web.json')).code).toBe(0);
    expect(asked()).toEqual([['PUT', `${base}/endpoints/web-1`, { names: ['x.example.com'], policy_id: 'p' }]]);
    const both = await c.everleaf('endpoint put web-1 --file=~/web.json --port=8443');
    expect(both).toMatchObject({ code: 2, err: expect.stringMatching(/^everleaf: --file: /) });
    for (const text of ['[1]', 'names:', '"x"', '']) {
      writeFileSync(c.session.file('web.json'), text);
      const result = await c.everleaf('endpoint put web-1 --file=~/web.json');
      expect(result).toMatchObject({ code: 2, err: expect.stringContaining('holds no JSON object') });
    }
    expect(asked()).toHaveLength(1);
  });
  it('put warns of what will outlaw its policy', async () => {
    const warnings = [{ name: '100-day-limit', message: '100-day-limit: from 2027-03-15 on' }];
    c.server.answer = () => ({ body: { ...endpoint, warnings } });
    const { code, err } = await c.everleaf('endpoint put web-1 --dns-name web.example.com --policy public');
    expect([code, err]).toEqual([0, 'warning: 100-day-limit: from 2027-03-15 on\n']);
  });
  it('get prints what it serves, and what of its record is invalid', async () => {
    c.server.answer = () => ({
      body: { ...endpoint, current, expires_at: at, live_job: '0199aa', invalid: ['port'] },
    });
    const { out } = await c.everleaf('endpoint get web-1');
    expect(out).toMatch(/\nSerial: 01aa\nFingerprint: (?:ab){32}\nIssuer: CN=CA\nExpires: 2024-12-25T10:30:00Z\n/);
    expect(out).toMatch(/\nRenewal: 0199aa\nInvalid: port\n$/);
  });
  it('delete says what is gone', async () => {
    c.server.answer = () => ({ body: { endpoint_id: 'web-1', deleted: true } });
    expect(await c.everleaf('endpoint delete web-1')).toEqual({ code: 0, out: 'Deleted: web-1\n', err: '' });
    expect(c.server.asked[0]).toMatchObject({
      method: 'DELETE',
      url: `${base}/endpoints/web-1`,
      headers: { 'content-type': 'application/json' },
    });
    c.server.answer = () => ({ status: 409, body: { detail: 'the renewal 0199aa is under way' } });
    expect(await c.everleaf('endpoint delete web-1')).toEqual({
      code: 1,
      out: '',
      err: 'everleaf: the renewal 0199aa is under way\n',
    });
  });
});

describe('inventory', () => {
  const shown = {
    ...endpoint,
    current,
    expires_at: at,
    renews_at: at - 86_400_000,
    agent_id: 'agent-web-01',
    agent: { agent_id: 'agent-web-01', last_heartbeat_at: at },
  };
  const agent = {
    agent_id: 'agent-web-01',
    fleet_id: 'web',
    last_heartbeat_at: at,
    version: '0.1.0',
    endpoints: [{ endpoint_id: 'web-1', fingerprint: null, not_after: null }],
  };
  const pages = () => {
    c.server.answer = ({ url }) => {
      const token = new URL(url, c.server.url).searchParams.get('next_token');
      return {
        body:
          token === null
            ? { endpoints: [shown], agents: [], next_token: 't' }
            : { endpoints: [{ endpoint_id: 'web-2', invalid: ['names'] }], agents: [agent] },
      };
    };
  };

  it('prints endpoints, then agents, of every page', async () => {
    pages();
    const { out, err, code } = await c.everleaf('inventory');
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(
      [
        'ENDPOINT  NAME             EXPIRES               RENEWS                POLICY  AGENT         HEARTBEAT             RENEWAL',
        'web-1     web.example.com  2024-12-25T10:30:00Z  2024-12-24T10:30:00Z  47-day  agent-web-01  2024-12-25T10:30:00Z  -',
        'web-2     ?                -                     -                     ?       -             -                     -',
        '',
        'AGENT         FLEET  HEARTBEAT             VERSION  ENDPOINTS',
        'agent-web-01  web    2024-12-25T10:30:00Z  0.1.0    web-1',
        '',
      ].join('\n'),
    );
    expect(asked().map(([, url]) => url)).toEqual([
      `${base}/inventory?limit=200`,
      `${base}/inventory?limit=200&next_token=t`,
    ]);
  });
  it('as JSON is what the server said', async () => {
    pages();
    const { out } = await c.everleaf('inventory --output json');
    expect(JSON.parse(out)).toEqual({
      endpoints: [shown, { endpoint_id: 'web-2', invalid: ['names'] }],
      agents: [agent],
    });
  });
  it('asks for what ends soon, and stops at --limit', async () => {
    pages();
    const { out } = await c.everleaf('inventory --expiry-within-days 7 --limit 1');
    expect(asked()).toEqual([['GET', `${base}/inventory?expiry_within_days=7&limit=1`, null]]);
    expect(out).not.toContain('web-2');
    expect((await c.everleaf('inventory --expiry-within-days 0')).code).toBe(0);
    expect(asked()[1]?.[1]).toBe(`${base}/inventory?expiry_within_days=0&limit=200`);
  });
  it('says that there are no endpoints; `endpoint list` shows them alone', async () => {
    pages();
    expect((await c.everleaf('endpoint list')).out).not.toContain('FLEET');
    expect(JSON.parse((await c.everleaf('endpoint list --output=json')).out)).not.toHaveProperty('agents');
    c.server.answer = () => ({ body: { endpoints: [], agents: [] } });
    for (const line of ['inventory', 'endpoint list'])
      expect(await c.everleaf(line)).toEqual({ code: 0, out: '', err: 'No endpoints.\n' });
    expect(JSON.parse((await c.everleaf('endpoint list --output=json')).out)).toEqual({ endpoints: [] });
  });
});

describe('policy', () => {
  const mtls = asPreset('mtls');
  const preset = mtls && viewPolicy(mtls);

  it('put says all that a policy may be told, as the route takes it', async () => {
    c.server.answer = () => ({ status: 201, body: { policy_id: 'web', warnings: [] } });
    const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:airunner/prod/eab-AbCdEf';
    await c.everleaf(
      `policy put web --lifetime-days 45 --renewal-window-days 12 --acme-directory https://acme.example.com/dir --account web --eab-secret-arn ${arn} --profile tlsserver --challenge dns-01 --key-type rsa-2048 --contact a@example.com --contact b@example.com --retries 0 --timeout csr=60 --timeout deploy=90 --maintenance-window "sat,sun 23:00-02:00" --maintenance-window "mon 01:00-24:00"`,
    );
    const [method, url, body] = asked()[0] ?? [];
    expect([method, url]).toEqual(['PUT', `${base}/policies/web`]);
    expect(completePolicy(policyInputSchema.parse(body), Date.parse('2026-11-23')).policy).toEqual({
      ca: {
        kind: 'acme',
        directory: 'https://acme.example.com/dir',
        account: 'web',
        eab_secret_arn: arn,
        profile: 'tlsserver',
      },
      lifetime_days: 45,
      renewal_window_days: 12,
      challenge: 'dns-01',
      client_auth: false,
      key_type: 'rsa-2048',
      contact: ['a@example.com', 'b@example.com'],
      retries: 0,
      timeouts_seconds: { csr: 60, challenge: 1800, deploy: 90, validate: 600 },
      maintenance_windows: [
        { days: ['sat', 'sun'], from: '23:00', to: '02:00' },
        { days: ['mon'], from: '01:00', to: '24:00' },
      ],
    });
  });
  it('put of a preset sends no more than that, and its warnings go to standard error', async () => {
    const warnings = [{ name: '47-day-limit', message: 'x\u001b[2J' }];
    c.server.answer = () => ({ body: { policy_id: 'web', warnings } });
    const { err, code } = await c.everleaf('policy put web --preset=mtls --client-auth');
    expect([code, err]).toEqual([0, 'warning: x\ufffd[2J\n']);
    expect(asked()[0]?.[2]).toEqual({ preset: 'mtls', client_auth: true });
  });
  it('get prints it line by line', async () => {
    c.server.answer = () => ({
      body: { ...preset, maintenance_windows: [{ days: ['sun'], from: '01:00', to: '03:00' }] },
    });
    expect((await c.everleaf('policy get mtls')).out).toBe(
      [
        'Policy: mtls',
        'Preset: yes, it stays as it is',
        'CA: private',
        'Lifetime: 365 days',
        'Renewal Window: 30 days',
        'Challenge: none',
        'Key Type: ec-p256',
        'For Clients: yes',
        'Retries: 3',
        'Timeouts: csr 3600 s, challenge 1800 s, deploy 1800 s, validate 600 s',
        'Maintenance: sun 01:00-03:00 UTC',
        '',
      ].join('\n'),
    );
    c.server.answer = () => ({ body: { policy_id: 'web', invalid: ['lifetime_days'] } });
    expect((await c.everleaf('policy get web')).out).toBe('Policy: web\nInvalid: lifetime_days\n');
  });
  it('list and delete', async () => {
    c.server.answer = () => ({ body: { policies: [preset, { policy_id: 'web', invalid: ['ca'] }] } });
    expect((await c.everleaf('policy list')).out).toBe(
      [
        'POLICY  CA       LIFETIME  WINDOW   CHALLENGE  KEY      PRESET',
        'mtls    private  365 days  30 days  none       ec-p256  yes',
        'web     ?        ?         ?        ?          ?',
        '',
      ].join('\n'),
    );
    c.server.answer = () => ({ body: { policy_id: 'web', deleted: true } });
    expect((await c.everleaf('policy delete web')).out).toBe('Deleted: web\n');
    expect(asked()[1]).toEqual(['DELETE', `${base}/policies/web`, {}]);
  });
});

describe('fleet', () => {
  const fleet = { fleet_id: 'web', endpoint_ids: ['web-*', 'db-1'], poll_after_seconds: 900, closed: false };
  const token = newToken((size) => new Uint8Array(size).fill(9));
  const made = {
    token,
    token_id: tokenIdOf(token),
    fleet_id: 'web',
    kind: 'single',
    endpoint_ids: ['web-*'],
    expires_at: at,
  };

  it('put says all that a fleet may be told, as the route takes it', async () => {
    c.server.answer = () => ({ body: fleet });
    const { out } = await c.everleaf(
      'fleet put web --endpoint "web-*" --endpoint db-1 --poll-after-seconds 10 --closed',
    );
    expect(out).toBe('Fleet: web\nEndpoints: web-* db-1\nPoll After: 900 s\nEnrolment: open\n');
    const [method, url, body] = asked()[0] ?? [];
    expect([method, url]).toEqual(['PUT', `${base}/fleets/web`]);
    expect(fleetInputSchema.parse(body)).toEqual({
      endpoint_ids: ['web-*', 'db-1'],
      poll_after_seconds: 10,
      closed: true,
    });
  });
  it('get prints the tokens that let nodes in; list and delete', async () => {
    const shown = { token_id: made.token_id, kind: 'fleet', status: 'open', endpoint_ids: ['web-*'] };
    c.server.answer = () => ({ body: { ...fleet, tokens: [shown] } });
    expect((await c.everleaf('fleet get web')).out).toMatch(
      new RegExp(`Enrolment: open\n\nTOKEN ID +KIND +EXPIRES +ENDPOINTS\n${made.token_id} +fleet +never +web-\\*\n$`),
    );
    c.server.answer = () => ({ body: { fleets: [fleet] } });
    expect((await c.everleaf('fleet list')).out).toBe(
      'FLEET  ENROLMENT  POLL AFTER  ENDPOINTS\nweb    open       900 s       web-* db-1\n',
    );
    c.server.answer = () => ({ body: { fleets: [] } });
    expect(await c.everleaf('fleet list')).toEqual({ code: 0, out: '', err: 'No fleets.\n' });
    c.server.answer = () => ({ body: { fleet_id: 'web', deleted: true } });
    expect((await c.everleaf('fleet delete web')).out).toBe('Deleted: web\n');
  });

  it('token stands alone on standard output, so that it can be piped into a file', async () => {
    c.server.answer = () => ({ status: 201, body: made });
    const result = await c.everleaf('fleet token web');
    expect(result).toEqual({
      code: 0,
      out: `${token}\n`,
      err: `Token ID: ${made.token_id}\nKind: single\nEndpoints: web-*\nExpires: 2024-12-25T10:30:00Z\n`,
    });
    expect(asked()).toEqual([['POST', `${base}/fleets/web/tokens`, {}]]);
    expect(JSON.parse((await c.everleaf('fleet token web --output json')).out)).toEqual(made);
  });
  it('token is asked for as the route takes it', async () => {
    c.server.answer = () => ({ status: 201, body: made });
    await c.everleaf('fleet token web --kind fleet --endpoint web-1 --endpoint "web-a*" --expires-in 7d');
    expect(tokenInputSchema.parse(asked()[0]?.[2])).toEqual({
      kind: 'fleet',
      endpoint_ids: ['web-1', 'web-a*'],
      expires_in_seconds: 604_800,
    });
  });
  it('token goes into a file that its owner alone can read, and is then shown nowhere else', async () => {
    c.server.answer = () => ({ status: 201, body: made });
    const result = await c.everleaf('fleet token web --out ~/token');
    expect(result.code).toBe(0);
    expect(result.out + result.err).not.toContain(token);
    expect(readFileSync(c.session.file('token'), 'utf8')).toBe(`${token}\n`);
    expect(statSync(c.session.file('token')).mode & 0o777).toBe(0o600);
    const again = await c.everleaf('fleet token web --out ~/token');
    expect(again).toMatchObject({ code: 2, err: expect.stringMatching(/^everleaf: --out: .*exists/) });
    const json = await c.everleaf('fleet token web --out ~/token-2 --output json');
    expect(json.out).not.toContain(token);
    expect(readFileSync(c.session.file('token-2'), 'utf8')).toBe(`${token}\n`);
    expect(asked()).toHaveLength(2);
  });
  it('token --revoke revokes one, and makes none', async () => {
    c.server.answer = () => ({ body: { token_id: made.token_id, kind: 'single', status: 'revoked' } });
    const { out } = await c.everleaf(`fleet token web --revoke ${made.token_id}`);
    expect(out).toBe(`Token ID: ${made.token_id}\nStatus: revoked\n`);
    expect(asked()).toEqual([['DELETE', `${base}/fleets/web/tokens/${made.token_id}`, {}]]);
    const wrong = await c.everleaf(`fleet token web --revoke ${made.token_id} --kind fleet`);
    expect(wrong).toMatchObject({ code: 2, err: expect.stringMatching(/^everleaf: --kind: /) });
    expect(asked()).toHaveLength(1);
  });
});

it.each([
  ['endpoint get WEB', 'endpoint-id'],
  ['endpoint get policy#x', 'endpoint-id'],
  ['endpoint put ../x --policy p', 'endpoint-id'],
  ['endpoint delete a/b', 'endpoint-id'],
  ['policy get ..', 'policy-id'],
  [`fleet get ${'f'.repeat(31)}`, 'fleet-id'],
  ['fleet token WEB', 'fleet-id'],
  ['fleet token web --revoke evt_secret', '--revoke'],
  ['endpoint put web-1 --file ~/nothing.json', '--file'],
])('%j is refused without asking the server, naming %s', async (line, named) => {
  const result = await c.everleaf(line);
  expect(result).toMatchObject({ code: 2, out: '', err: expect.stringMatching(new RegExp(`^everleaf: ${named}: `)) });
  expect(c.server.asked).toEqual([]);
});

it.each([
  'endpoint',
  'endpoint put',
  'endpoint put web-1 --port=x',
  'endpoint put web-1 --validate-from=moon',
  'policy put web --preset=48-day',
  'policy put web --challenge=none-01',
  'policy put web --retries=-1',
  'policy put web --timeout=deploy',
  'policy put web --maintenance-window=sunday',
  'fleet token web --kind=any',
  'fleet token web --expires-in=1w',
  'inventory extra',
  'inventory --expiry-within-days=7d',
])('%j is used wrongly', async (line) => {
  expect(await c.everleaf(line)).toMatchObject({ code: 2, out: '' });
  expect(c.server.asked).toEqual([]);
});

describe('what a server says moves no cursor and adds no line', () => {
  const hostile = 'x\u001b]0;owned\u0007\u001b[2K\rEndpoint: w\nStatus: active\u009b31m\u202e';
  it.each([
    ['endpoint get w', { endpoint_id: hostile, names: [hostile], host: hostile, port: 1, invalid: [hostile] }],
    ['endpoint put w --policy p', { endpoint_id: 'w', warnings: [{ message: hostile }] }],
    ['policy get w', { policy_id: hostile, ca: { kind: hostile }, timeouts_seconds: { [hostile]: 1 } }],
    ['policy list', { policies: [{ policy_id: hostile }] }],
    ['fleet get w', { fleet_id: hostile, endpoint_ids: [hostile], poll_after_seconds: 1, closed: true }],
    ['fleet token w', { token: hostile, token_id: 'x', fleet_id: 'w', kind: 'x', endpoint_ids: [] }],
    ['inventory', { endpoints: [{ endpoint_id: hostile }], agents: [{ agent_id: hostile, version: hostile }] }],
  ])('%s', async (line, body) => {
    c.server.answer = () => ({ body });
    for (const output of ['table', 'json']) {
      const { out, err } = await c.everleaf(`${line} --output=${output}`);
      expect(out + err).not.toBe('');
      expect(out + err).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_C}/u);
      expect(out + err).not.toMatch(/^Status: active/m);
    }
  });
});
