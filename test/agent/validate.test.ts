/** Validation from the node: what is really served, by whatever server, under the name that clients use. */
import { createServer as createPlain, type Server } from 'node:net';
import { createSecureContext, createServer } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../src/agent/fingerprint.ts';
import { validate as validateTask } from '../../src/agent/validate.ts';
import { makeKey, writeKey } from '../../src/authority/make-csr.ts';
import { type Authority, makeAuthority } from '../cli/authority.ts';
import { ask, newJob } from './job.ts';
import { openNode, type RunningAgent, type TestNode } from './node.ts';
import { type Content, type Peer, startPeer } from './peer.ts';

let ca: Authority;
let issuer: Authority;
let stranger: Authority;
let peer: Peer;
let node: TestNode;
let agent: RunningAgent;
const servers: Server[] = [];
beforeAll(async () => {
  ca = await makeAuthority('CN=CA');
  issuer = await ca.delegate('CN=Issuer');
  stranger = await makeAuthority('CN=Stranger');
});
beforeEach(async () => {
  peer = await startPeer(ca);
  node = await openNode(ca, peer.url);
  agent = await node.start();
});
afterEach(async () => {
  await node.close();
  await peer.close();
  for (const server of servers.splice(0)) server.close();
});

const listen = (server: Server, host = '127.0.0.1', port = 0): Promise<number> => {
  servers.push(server);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
};
const pair = async (authority: Authority, chain: string, name = 'web.test') => {
  const key = makeKey();
  const { pem } = await authority.issue(key, `CN=${name}`, { names: [name] });
  return { key: writeKey(key), cert: pem + chain, fingerprint: fingerprintOf(pem) ?? '' };
};
const serving = async (tls: { key: string; cert: string }, host?: string, port?: number) => {
  const server = createServer(tls, (socket) => socket.on('error', () => undefined).end());
  server.on('tlsClientError', () => undefined);
  return listen(server, host, port);
};
const validate = (port: number, fingerprint: string, more: Content = {}) =>
  ask(peer, agent, {
    ...newJob(),
    kind: 'validate',
    host: '127.0.0.1',
    port,
    server_name: 'web.test',
    fingerprint,
    ...more,
  });

/** Without the time that a consumer is given to change. */
const lookOnce = (port: number, host = '127.0.0.1', fullchain = '') =>
  validateTask(
    {
      ...{ ...newJob(), task_id: 'once', kind: 'validate', expires_at: Date.now() + 60_000 },
      ...{ host, port, server_name: 'web.test', fingerprint: 'ab'.repeat(32) },
    },
    { cacert: ca.pem, fullchain, stopping: AbortSignal.abort() },
  );

describe('what is served', () => {
  it('is told with its address, complete with the intermediate up to a root that is known here', async () => {
    const tls = await pair(issuer, issuer.pem);
    expect(await validate(await serving(tls), tls.fingerprint)).toEqual({
      status: 'done',
      observed: [{ address: '127.0.0.1', fingerprint: tls.fingerprint, chain_complete: true }],
    });
  });
  it('is chosen by the name that is asked for', async () => {
    const [usual, named] = [await pair(ca, ca.pem, 'usual.test'), await pair(ca, ca.pem, 'web.test')];
    const contexts = new Map([['web.test', createSecureContext(named)]]);
    const server = createServer({ ...usual, SNICallback: (name, done) => done(null, contexts.get(name)) }, (socket) =>
      socket.on('error', () => undefined).end(),
    );
    const port = await listen(server);
    expect(await validate(port, named.fingerprint)).toMatchObject({ observed: [{ fingerprint: named.fingerprint }] });
    expect(await validate(port, usual.fingerprint, { server_name: '127.0.0.1' })).toMatchObject({
      observed: [{ fingerprint: usual.fingerprint }],
    });
  });
  it('is looked at on every address of a name', async () => {
    const [four, six] = [await pair(ca, ca.pem), await pair(ca, ca.pem)];
    const port = await serving(four, '127.0.0.1');
    await serving(six, '::1', port);
    const { lookup } = await import('node:dns/promises');
    const addresses = (await lookup('localhost', { all: true })).map(({ address }) => address).sort();
    const answer = await validate(port, four.fingerprint, { host: 'localhost' });
    const observed = answer.observed as { address: string; fingerprint: string }[];
    expect(observed.map(({ address }) => address).sort()).toEqual(addresses);
    for (const { address, fingerprint } of observed)
      expect(fingerprint).toBe(address === '::1' ? six.fingerprint : four.fingerprint);
  });
  it('is told as it is when it is another certificate, after it had time to change', async () => {
    const tls = await pair(ca, ca.pem);
    const began = Date.now();
    const answer = await validate(await serving(tls), 'ab'.repeat(32));
    expect(answer).toMatchObject({ status: 'done', observed: [{ fingerprint: tls.fingerprint }] });
    expect(Date.now() - began).toBeGreaterThan(3_000);
  });
  it('may come a moment after the reload', async () => {
    const [old, fresh] = [await pair(ca, ca.pem), await pair(ca, ca.pem)];
    const server = createServer(old, (socket) => socket.on('error', () => undefined).end());
    const port = await listen(server);
    setTimeout(() => server.setSecureContext(fresh), 500);
    expect(await validate(port, fresh.fingerprint)).toMatchObject({ observed: [{ fingerprint: fresh.fingerprint }] });
  });
});

describe('a chain', () => {
  it.each([
    ['without its intermediate', () => pair(issuer, '')],
    ['of a CA that nobody here knows', async () => pair(await stranger.delegate('CN=Other'), '')],
    ['with an intermediate that issued something else', () => pair(issuer, stranger.pem)],
  ])('%s is not complete', async (_, make) => {
    const tls = await make();
    expect(await lookOnce(await serving(tls))).toMatchObject({
      observed: [{ fingerprint: tls.fingerprint, chain_complete: false }],
    });
  });
  it('that ends as the one that came with the certificate is complete, whoever trusts its root', async () => {
    const other = await stranger.delegate('CN=Other');
    const tls = await pair(other, other.pem);
    const port = await serving(tls);
    expect(await lookOnce(port)).toMatchObject({ observed: [{ chain_complete: false }] });
    expect(await lookOnce(port, '127.0.0.1', tls.cert)).toMatchObject({ observed: [{ chain_complete: true }] });
  });
});

describe('fails with what happened when', () => {
  it('nobody listens', async () => {
    const answer = await lookOnce(1);
    expect(answer).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/127\.0\.0\.1:1 did not serve .*ECONNREFUSED/),
    });
  });
  it('what listens speaks no TLS', async () => {
    const port = await listen(createPlain((socket) => socket.on('error', () => undefined).end('220 hello\r\n')));
    expect(await lookOnce(port)).toMatchObject({ status: 'failed' });
  });
  it('there is no host of that name', async () => {
    const answer = await lookOnce(443, 'nowhere.invalid');
    expect(answer).toMatchObject({ status: 'failed', reason: expect.stringContaining('nowhere.invalid') });
  });
});
