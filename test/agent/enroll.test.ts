/** Joining a fleet as typed on a node: one key, one request, a file that is complete, and a try that can be repeated. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readAgentConfig } from '../../src/agent/config.ts';
import { belongTogether, readKey } from '../../src/cli/pair.ts';
import { type Authority, makeAuthority } from '../cli/authority.ts';
import { openSession, type Session } from '../cli/session.ts';
import { type Peer, startPeer } from './peer.ts';

let ca: Authority;
let peer: Peer;
let session: Session;
beforeAll(async () => {
  ca = await makeAuthority('CN=CA');
});
beforeEach(async () => {
  peer = await startPeer(ca, { open: true });
  session = openSession();
  writeFileSync(session.file('ca.pem'), ca.pem);
  writeFileSync(session.file('token'), 'one-time-token\n');
  peer.certify = async ({ body }) => {
    const issued = await ca.certify(String(body.csr), 'CN=agent-edge-1');
    const answer = { ...issued, principal_id: 'agent-edge-1', chain: ca.pem, server: 'https://api.example.com' };
    return { status: 201, body: answer };
  };
});
afterEach(async () => {
  session.close();
  await peer.close();
});

const file = (name: string) => session.file(`.everleaf/${name}`);
const read = (name: string) => readFileSync(file(name), 'utf8');
const enroll = (more = '--api-key-file=~/token') =>
  session.everleaf(`agent enroll --fleet-id=edge --enroll-server=${peer.url} --cacert=~/ca.pem ${more}`);
const sent = () => peer.asked.map(({ body }) => body);

describe('enrolling', () => {
  it('makes the key here, and leaves everything that the agent runs with', async () => {
    const { code, out, err } = await enroll();
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^Principal: agent-edge-1\nSerial: .*\nExpires: .*\nCertificate: .*agent-cert.pem\nKey: /);
    expect(sent()).toEqual([
      { fleet_id: 'edge', token: 'one-time-token', csr: expect.stringContaining('CERTIFICATE REQUEST') },
    ]);
    const key = readKey(read('agent-key.pem'));
    expect(key !== null && belongTogether(read('agent-cert.pem'), key)).toBe(true);
    expect(statSync(file('agent-key.pem')).mode & 0o777).toBe(0o600);
    expect(readdirSync(session.file('.everleaf')).sort()).toEqual(['agent-cert.pem', 'agent-key.pem', 'agent.json']);
    expect(readAgentConfig(file('agent.json'))).toMatchObject({
      server: new URL('https://api.example.com'),
      cacert: session.file('ca.pem'),
      client_cert: file('agent-cert.pem'),
      state_dir: file('state'),
      endpoints: new Map(),
    });
    expect(read('agent.json')).not.toContain('one-time-token');
  });
  it('completes a file that is there, and keeps what it says', async () => {
    mkdirSync(session.file('etc'));
    const endpoints = { web: { directory: '/etc/ssl/web', reload: ['systemctl', 'reload', 'nginx'] } };
    const settings = {
      endpoints,
      client_key: session.file('etc/own.pem'),
      server: 'https://own.example.com',
      enroll_server: peer.url,
    };
    writeFileSync(session.file('etc/agent.json'), JSON.stringify({ ...settings, cacert: session.file('ca.pem') }));
    session.env.EVERLEAF_API_KEY = 'from the environment';
    expect(await session.everleaf('agent enroll --fleet-id=edge --config=~/etc/agent.json')).toMatchObject({
      code: 0,
      err: '',
    });
    expect(sent()).toMatchObject([{ token: 'from the environment' }]);
    expect(JSON.parse(readFileSync(session.file('etc/agent.json'), 'utf8'))).toMatchObject(settings);
    expect(existsSync(session.file('etc/own.pem'))).toBe(true);
  });
  it('with the key on the command line works, with a warning', async () => {
    expect(await enroll('--api-key=XXX')).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^warning: --api-key shows the key/),
    });
    expect(sent()).toMatchObject([{ token: 'XXX' }]);
  });
  it('prints JSON where that is asked for', async () => {
    const { out } = await enroll('--api-key-file=~/token --output=json');
    expect(JSON.parse(out)).toMatchObject({ principal_id: 'agent-edge-1', client_key: file('agent-key.pem') });
  });
});

describe('a try that did not come to its end', () => {
  it('is repeated with the very same request, so that the server answers the same', async () => {
    peer.weather = () => 'lost';
    expect(await enroll()).toMatchObject({ code: 1 });
    peer.weather = () => ({ status: 503, body: { detail: 'closed while an emergency lasts' } });
    expect(await enroll()).toMatchObject({ code: 1, err: expect.stringContaining('closed while an emergency lasts') });
    peer.weather = () => null;
    expect(await enroll()).toMatchObject({ code: 0 });
    expect(new Set(sent().map(({ csr }) => csr)).size).toBe(1);
    expect(readdirSync(session.file('.everleaf'))).not.toContain('agent-key.pem.request');
  });
  it('has left no certificate and no file that says so', async () => {
    peer.weather = () => ({ status: 401, body: { detail: 'the token is used' } });
    expect(await enroll()).toMatchObject({
      code: 1,
      err: expect.stringMatching(/did not enrol this node: 401 the token is used$/m),
    });
    expect(readdirSync(session.file('.everleaf')).sort()).toEqual(['agent-key.pem', 'agent-key.pem.request']);
  });
});

describe('is refused', () => {
  it('on a node that is enrolled: its identity is not thrown away', async () => {
    await enroll();
    const before = [read('agent-cert.pem'), read('agent-key.pem')];
    expect(await enroll()).toMatchObject({ code: 1, err: expect.stringContaining('enrolled already') });
    expect([read('agent-cert.pem'), read('agent-key.pem')]).toEqual(before);
    expect(sent()).toHaveLength(1);
  });
  it('when the answer is another’s certificate', async () => {
    const { makeKey } = await import('../../src/authority/make-csr.ts');
    const other = await ca.issue(makeKey(), 'CN=agent-edge-1');
    peer.certify = () => ({ status: 201, body: { ...other, principal_id: 'x', server: 'https://api.example.com' } });
    expect(await enroll()).toMatchObject({ code: 1, err: expect.stringContaining('something else') });
    expect(existsSync(file('agent-cert.pem'))).toBe(false);
  });
  it('with a server whose certificate is not verified: the token does not leave', async () => {
    writeFileSync(session.file('ca.pem'), (await makeAuthority('CN=Other')).pem);
    expect(await enroll()).toMatchObject({ code: 1, err: expect.stringContaining('--cacert') });
    expect(sent()).toEqual([]);
  });
  it('at the API’s own address, which asks for a certificate', async () => {
    const api = await startPeer(ca);
    const result = await session.everleaf(
      `agent enroll --fleet-id=edge --enroll-server=${api.url} --cacert=~/ca.pem --api-key-file=~/token`,
    );
    await api.close();
    expect(result).toMatchObject({ code: 1, err: expect.stringContaining('enrolment server’s own address') });
  });
  it.each([
    ['no token', '', /--api-key-file is missing/],
    ['two tokens', '--api-key=x --api-key-file=~/token', /give it, or --api-key-file/],
    ['a token file that is not there', '--api-key-file=~/nothing', /^everleaf: --api-key-file: cannot read/],
    ['an enrolment server without TLS', '--api-key-file=~/token --enroll-server=http://x', /--enroll-server: must be/],
  ])('with %s', async (_, more, said) => {
    expect(await enroll(more)).toMatchObject({ code: 2, err: expect.stringMatching(said) });
    expect(sent()).toEqual([]);
  });
  it('without a fleet, or without a place to enrol', async () => {
    expect(await session.everleaf('agent enroll')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--fleet-id'),
    });
    expect(await session.everleaf('agent enroll --fleet-id=x --api-key-file=~/token')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--enroll-server is missing'),
    });
  });
  it('with a file that others can change', async () => {
    mkdirSync(session.file('.everleaf'));
    writeFileSync(file('agent.json'), '{}');
    chmodSync(file('agent.json'), 0o666);
    expect(await enroll()).toMatchObject({ code: 2, err: expect.stringContaining('chmod go-w') });
  });
});

it('the shell completes agent run and agent enroll', async () => {
  const { out } = await session.everleaf('completion bash');
  expect(out).toMatch(/'agent run'\) words='--config --enroll-server --api-key-file --api-key --fleet-id/);
});
