/** A Kubernetes TLS secret as an endpoint, against a server that plays the cluster's API. */

import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeKey, writeKey } from '../../src/authority/make-csr.ts';
import { type Authority, makeAuthority } from '../cli/authority.ts';
import { ask, renew } from './job.ts';
import { openNode, type RunningAgent, type TestNode, text } from './node.ts';
import { type Peer, startPeer } from './peer.ts';

interface Applied {
  readonly method: string;
  readonly url: string;
  readonly type: string;
  readonly authorization: string;
  readonly body: { type: string; data: Record<string, string>; metadata: object };
}
let ca: Authority;
let peer: Peer;
let node: TestNode;
let agent: RunningAgent;
let cluster: Server;
let applied: Applied[];
/** What the cluster answers instead of the secret. */
let refusal: { status: number; body: object } | null;
beforeAll(async () => {
  ca = await makeAuthority('CN=CA');
});

const kubeconfig = (change: object = {}) => ({
  'current-context': 'edge',
  contexts: [{ name: 'edge', context: { cluster: 'c', user: 'u' } }],
  clusters: [
    {
      name: 'c',
      cluster: {
        server: `https://127.0.0.1:${(cluster.address() as AddressInfo).port}`,
        'certificate-authority-data': Buffer.from(ca.pem).toString('base64'),
      },
    },
  ],
  users: [{ name: 'u', user: { token: 'cluster-token', ...change } }],
});

beforeEach(async () => {
  applied = [];
  refusal = null;
  const key = makeKey();
  const { pem } = await ca.issue(key, 'CN=cluster', { names: ['127.0.0.1'] });
  cluster = createServer({ key: writeKey(key), cert: pem }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Applied['body'];
      const { method = '', url = '', headers } = request;
      applied.push({
        method,
        url,
        type: String(headers['content-type']),
        authorization: String(headers.authorization),
        body,
      });
      response.writeHead(refusal?.status ?? 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(refusal?.body ?? body));
    });
  });
  await new Promise<void>((resolve) => cluster.listen(0, '127.0.0.1', resolve));
  peer = await startPeer(ca);
  node = await openNode(ca, peer.url);
  writeFileSync(node.file('kubeconfig'), JSON.stringify(kubeconfig()), { mode: 0o600 });
  const secret = { namespace: 'shop', secret: 'web-tls', kubeconfig: node.file('kubeconfig') };
  node.settings.endpoints = { web: { kubernetes: secret } };
  agent = await node.start();
});
afterEach(async () => {
  await node.close();
  await peer.close();
  cluster.closeAllConnections();
  cluster.close();
});

const decode = (data: string | undefined) => Buffer.from(data ?? '', 'base64').toString('utf8');
const inPlace = (name: string) => text(node.file('state', 'secrets', 'web', 'current', name));

it('gets key and certificate in one request, and the version before when that is to be put back', async () => {
  const first = await renew(peer, agent, ca);
  expect(first.answer).toMatchObject({ status: 'done', previous_fingerprint: null });
  const { data } = applied[0]?.body ?? {};
  expect(applied).toEqual([
    {
      method: 'PATCH',
      url: '/api/v1/namespaces/shop/secrets/web-tls?fieldManager=everleaf-agent&force=true',
      type: 'application/apply-patch+yaml',
      authorization: 'Bearer cluster-token',
      body: expect.objectContaining({ type: 'kubernetes.io/tls', metadata: { name: 'web-tls', namespace: 'shop' } }),
    },
  ]);
  expect([decode(data?.['tls.crt']), decode(data?.['tls.key'])]).toEqual([
    first.certified.pem + ca.pem,
    inPlace('key.pem'),
  ]);
  const { job, certified } = await renew(peer, agent, ca);
  const back = { fingerprint: certified.fingerprint, previous_fingerprint: first.certified.fingerprint };
  expect(await ask(peer, agent, { ...job, kind: 'restore', ...back })).toEqual({
    status: 'done',
    fingerprint: first.certified.fingerprint,
  });
  expect(applied.at(-1)?.body.data).toEqual(data);
});

describe('fails with what the cluster said, and puts the version before back, when', () => {
  it.each([
    [
      'it may not write there',
      { status: 403, body: { message: 'secrets "web-tls" is forbidden' } },
      /403 secrets "web-tls" is forbidden/,
    ],
    ['something else answers', { status: 200, body: {} }, /did not take secret shop\/web-tls over/],
  ])('%s', async (_, answer, said) => {
    const first = await renew(peer, agent, ca);
    refusal = answer;
    expect((await renew(peer, agent, ca)).answer).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(said),
    });
    expect(inPlace('fullchain.pem')).toBe(first.certified.pem + ca.pem);
    expect(decode(applied.at(-1)?.body.data['tls.crt'])).toBe(first.certified.pem + ca.pem);
  });
  it.each([
    ['its kubeconfig runs a command', JSON.stringify({ command: 'aws' }), /command or provider/],
    ['its kubeconfig is YAML', null, /kubectl config view --raw --minify --flatten -o json/],
  ])('%s', async (_, exec, said) => {
    const content = exec === null ? 'apiVersion: v1\n' : JSON.stringify(kubeconfig({ exec: JSON.parse(exec) }));
    writeFileSync(node.file('kubeconfig'), content);
    expect((await renew(peer, agent, ca)).answer).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(said),
    });
    expect(applied).toEqual([]);
  });
});
