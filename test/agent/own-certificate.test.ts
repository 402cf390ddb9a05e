/** The agent's own certificate: renewed in time with a new key, and never lost, whatever happens in between. */
import { X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { renewalDue } from '../../src/agent/renew-identity.ts';
import { makeKey, writeKey } from '../../src/authority/make-csr.ts';
import { belongTogether, readKey } from '../../src/cli/pair.ts';
import { type Authority, makeAuthority } from '../cli/authority.ts';
import { askCsr, newJob } from './job.ts';
import { openNode, type RunningAgent, type TestNode, text } from './node.ts';
import { type Asked, type Peer, startPeer } from './peer.ts';
import { until } from './until.ts';

const day = 86_400_000;
let ca: Authority;
let peer: Peer;
let node: TestNode;
let before: { cert: string; key: string };
beforeAll(async () => {
  ca = await makeAuthority('CN=CA');
});
beforeEach(async () => {
  peer = await startPeer(ca);
  node = await openNode(ca, peer.url);
  before = { cert: text(node.file('cert.pem')), key: text(node.file('key.pem')) };
  peer.certify = ({ body }) =>
    ca
      .certify(String(body.csr), 'CN=agent-edge-1', { days: 200 })
      .then((one) => ({ status: 201, body: { ...one, chain: ca.pem } }));
});
afterEach(async () => {
  await node.close();
  await peer.close();
});

/** 90 days; the last third begins after 60, and a quarter of that is the spread. */
const inWindow = () => Date.now() + 68 * day;
/** As if time had passed for the agent and the server alike. */
const later = async (now = inWindow()) => {
  peer.ahead = now - Date.now();
  return node.start({ now: () => Date.now() + peer.ahead });
};
const renewals = () => peer.asked.filter(({ path }) => path.endsWith('/renew'));
const pairIn = (suffix = '') => {
  const key = readKey(text(node.file(`key.pem${suffix}`)));
  return key !== null && belongTogether(text(node.file(`cert.pem${suffix}`)), key);
};
const renewed = (agent: RunningAgent) =>
  until('it is renewed', () => agent.said.some(({ event }) => event === 'own certificate renewed'));

describe('in its window', () => {
  it('is replaced with a new key, presented from then on, and kept as .prev', async () => {
    const agent = await later();
    await renewed(agent);
    const [beat] = await until('a heartbeat', () => peer.heartbeats().length > 0 && peer.heartbeats());
    const serial = new X509Certificate(text(node.file('cert.pem'))).serialNumber.toLowerCase();
    expect([renewals()[0]?.caller, beat?.serial_number]).toEqual(['agent-edge-1', serial]);
    expect([pairIn(), pairIn('.prev')]).toEqual([true, true]);
    expect([text(node.file('cert.pem.prev')), text(node.file('key.pem.prev'))]).toEqual([before.cert, before.key]);
    expect(text(node.file('key.pem'))).not.toBe(before.key);
    expect(statSync(node.file('key.pem')).mode & 0o777).toBe(0o600);
    expect(renewals()[0]?.body).toEqual({ csr: expect.stringContaining('BEGIN CERTIFICATE REQUEST') });
  });
  it('is not before', async () => {
    await later(Date.now() + 59 * day);
    await until('a heartbeat', () => peer.heartbeats().length > 0);
    expect(renewals()).toEqual([]);
  });
  it('comes at a moment of its own for each certificate, within a quarter of the window', async () => {
    const due = await Promise.all(
      Array.from({ length: 20 }, async () => renewalDue((await ca.issue(makeKey(), 'CN=w')).pem) - Date.now()),
    );
    for (const one of due) expect([one > 60 * day - 3_600_000, one < 67.6 * day]).toEqual([true, true]);
    expect(new Set(due.map((one) => Math.round(one / 3_600_000))).size).toBeGreaterThan(10);
  });
  it('goes by the server’s clock once that is known', async () => {
    peer.ahead = 68 * day;
    const agent = await node.start();
    await until('a heartbeat', () => peer.heartbeats().length > 0);
    expect(renewals()).toEqual([]);
    agent.reread();
    await renewed(agent);
  });
});

describe('when the renewal', () => {
  it.each([
    [
      'is refused',
      (): ReturnType<Peer['weather']> => ({ status: 409, body: { detail: 'a principal has at most five' } }),
      /409 a principal has/,
    ],
    ['is lost', (): ReturnType<Peer['weather']> => 'lost', /closed the connection/],
    ['answers nonsense', (): ReturnType<Peer['weather']> => ({ status: 201, body: {} }), /another’s certificate/],
  ])('%s, the agent goes on with what it has, complains once and asks again later', async (_, weather, said) => {
    peer.weather = ({ path }) => (path.endsWith('/renew') ? weather() : null);
    const agent = await later();
    for (let turn = 1; turn < 3; turn += 1) {
      await until('a heartbeat', () => peer.heartbeats().length >= turn);
      agent.reread();
    }
    await until('a third', () => peer.heartbeats().length >= 3);
    expect(renewals()).toHaveLength(1);
    const complaints = agent.said.filter(({ event }) => event === 'own certificate not renewed');
    expect(complaints).toMatchObject([{ fields: { reason: expect.stringMatching(said) } }]);
    expect([text(node.file('cert.pem')), text(node.file('key.pem'))]).toEqual([before.cert, before.key]);
  });
  it('answers another’s certificate, nothing is replaced', async () => {
    const answers = [
      async ({ body }: Asked) => (await ca.certify(String(body.csr), 'CN=somebody-else')).pem,
      async () => (await ca.issue(makeKey(), 'CN=agent-edge-1')).pem,
    ];
    for (const answer of answers) {
      peer.certify = async (asked) => ({ status: 201, body: { pem: await answer(asked) } });
      const agent = await later();
      await until('a complaint', () => agent.said.some(({ event }) => event === 'own certificate not renewed'));
      await agent.stop();
      expect([text(node.file('cert.pem')), pairIn()]).toEqual([before.cert, true]);
    }
  });
  it('is tried again, it asks with the key that it made the first time', async () => {
    peer.weather = ({ path }) => (path.endsWith('/renew') ? 'lost' : null);
    let agent = await later();
    await until('it asked', () => renewals().length > 0);
    await agent.stop();
    const made = text(node.file('key.pem.next'));
    peer.weather = () => null;
    agent = await later();
    await renewed(agent);
    expect(text(node.file('key.pem'))).toBe(made);
  });
});

describe('cut off', () => {
  const made = makeKey();
  const wait = async (subject = 'CN=agent-edge-1') => {
    const { pem } = await ca.issue(made, subject, { days: 200 });
    writeFileSync(node.file('cert.pem.next'), pem);
    return pem;
  };
  it('between its two renames it is finished, also when the CA has another name now', async () => {
    writeFileSync(node.file('key.pem'), writeKey(made), { mode: 0o600 });
    const other = await makeAuthority('CN=Another CA');
    writeFileSync(node.file('cert.pem.next'), (await other.issue(made, 'CN=agent-edge-1')).pem);
    const agent = await node.start();
    await until('it is put together', () => pairIn());
    await until('it is said', () => agent.said.some(({ event }) => event === 'heartbeat failed'));
  });
  it('before them what was received is put in place without asking', async () => {
    writeFileSync(node.file('key.pem.next'), writeKey(made), { mode: 0o600 });
    const pem = await wait();
    await renewed(await later());
    expect(renewals()).toEqual([]);
    expect([text(node.file('cert.pem')), pairIn()]).toEqual([pem, true]);
  });
  it('with another’s certificate beside it that is not believed', async () => {
    writeFileSync(node.file('key.pem.next'), writeKey(made), { mode: 0o600 });
    await wait('CN=somebody-else');
    await renewed(await later());
    expect(renewals()).toHaveLength(1);
  });
});

it.each([
  ['others can read', (node: TestNode) => chmodSync(node.file('key.pem'), 0o644), /chmod 600/],
  [
    'is another’s',
    (node: TestNode) => writeFileSync(node.file('key.pem'), writeKey(makeKey())),
    /is not the key of the certificate/,
  ],
])('a key that %s is complained of, and the agent goes on when it is right again', async (_, spoil, said) => {
  const agent = await node.start();
  await askCsr(peer, agent, newJob());
  spoil(node);
  agent.reread();
  const complaint = () => agent.said.find(({ event }) => event === 'no identity');
  expect((await until('a complaint', complaint)).fields.reason).toMatch(said);
  writeFileSync(node.file('key.pem'), before.key);
  chmodSync(node.file('key.pem'), 0o600);
  await askCsr(peer, agent, newJob());
  expect(existsSync(node.file('key.pem.next'))).toBe(false);
});
