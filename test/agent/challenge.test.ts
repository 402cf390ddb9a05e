/** HTTP-01: what a CA's validation server gets to see, and that nothing listens when nothing is to be answered. */
import { createServer } from 'node:net';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Authority, makeAuthority } from '../cli/authority.ts';
import { ask, newJob } from './job.ts';
import { openNode, type RunningAgent, type TestNode } from './node.ts';
import { type Peer, startPeer } from './peer.ts';
import { until } from './until.ts';

let ca: Authority;
let peer: Peer;
let node: TestNode;
let agent: RunningAgent;
let port: number;
const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
beforeAll(async () => {
  ca = await makeAuthority('CN=CA');
});
beforeEach(async () => {
  peer = await startPeer(ca);
  node = await openNode(ca, peer.url);
  port = await freePort();
  node.settings.http01 = { port, address: '127.0.0.1' };
  agent = await node.start();
});
afterEach(async () => {
  await node.close();
  await peer.close();
});

const token = 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0';
const key_authorization = `${token}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;
const serve = (more: object = {}) =>
  ask(peer, agent, { ...newJob(), kind: 'serve_challenge', token, key_authorization, ...more });
const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { method });
const wellKnown = `/.well-known/acme-challenge/${token}`;
const silent = () =>
  get('/').then(
    () => false,
    () => true,
  );

it('answers with the key authorization at the well-known path alone, until it is told to stop', async () => {
  expect(await silent()).toBe(true);
  expect(await serve()).toEqual({ status: 'done' });
  const found = await get(wellKnown);
  expect([found.status, await found.text()]).toEqual([200, key_authorization]);
  for (const path of [
    '/',
    '/.well-known/acme-challenge/',
    '/.well-known/acme-challenge/../../etc/passwd',
    `${wellKnown}x`,
  ])
    expect((await get(path)).status).toBe(404);
  expect((await get(wellKnown, 'POST')).status).toBe(404);
  expect(await ask(peer, agent, { ...newJob(), kind: 'clear_challenge', token })).toEqual({ status: 'done' });
  expect(await silent()).toBe(true);
});
it('answers again after it was started anew', async () => {
  await serve();
  await agent.stop();
  expect(await silent()).toBe(true);
  agent = await node.start();
  await until('it is served', async () => !(await silent()));
  expect(await (await get(wellKnown)).text()).toBe(key_authorization);
});
it('stops by itself when the challenge’s time is over', async () => {
  expect(await serve({ expires_at: Date.now() + 700 })).toEqual({ status: 'done' });
  await until('nothing listens', silent);
});
it.each([
  ['token leads elsewhere', { token: '../../x' }, /token/],
  ['key authorization is another’s', { token: 'other' }, /not of the token/],
  ['key authorization is a page', { key_authorization: `${token}.<script>` }, /key_authorization/],
])('refuses a challenge whose %s', async (_, change, said) => {
  expect(await serve(change)).toMatchObject({ status: 'failed', reason: expect.stringMatching(said) });
  expect(await silent()).toBe(true);
});
it('says so when the port is taken, or the node’s file names none', async () => {
  const other = createServer().listen(port, '127.0.0.1');
  await until('the port is taken', () => other.listening);
  expect(await serve()).toMatchObject({
    status: 'failed',
    reason: expect.stringMatching(/cannot answer on port .*EADDRINUSE/),
  });
  other.close();
  delete node.settings.http01;
  agent.reread();
  expect(await serve()).toMatchObject({ status: 'failed', reason: expect.stringMatching(/has no http01/) });
});
