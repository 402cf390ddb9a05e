/** What a server is seen to serve, by real TLS: each address, by SNI, with its chain, and what of it is wrong. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { writeKey } from '../../src/authority/make-csr.ts';
import type { Job } from '../../src/renewal/job.ts';
import { dial, isComplete, notServed, observe, whatIsWrong } from '../../src/renewal/served.ts';
import { type Authority, makeAuthority } from '../cli/authority.ts';
import { policyWith } from './policy.ts';

let root: Authority;
let middle: Authority;
let stranger: Authority;
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const read = (pem: string) => new X509Certificate(pem);
const issue = async (authority: Authority, name: string) =>
  (await authority.issue(key, `CN=${name}`, { names: [name] })).pem;

beforeAll(async () => {
  root = await makeAuthority('CN=Root');
  middle = await root.delegate('CN=Middle');
  stranger = await makeAuthority('CN=Stranger');
});

const open: (Server | TcpServer)[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await new Promise((resolve) => server.close(resolve));
});
const listen = async (server: Server | TcpServer): Promise<number> => {
  open.push(server);
  server.on('connection', (socket) => setTimeout(() => socket.destroy(), 1_000).unref());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};
const serve = (cert: string, byName: Record<string, string> = {}) => {
  const server = createServer({ key: writeKey(key), cert });
  for (const [name, own] of Object.entries(byName)) server.addContext(name, { key: writeKey(key), cert: own });
  server.on('tlsClientError', () => undefined);
  return listen(server);
};
const fingerprint = (pem: string) => read(pem).fingerprint256.replaceAll(':', '').toLowerCase();

describe('a chain is complete', () => {
  it('from the certificate to a root that is known, with or without the root itself', async () => {
    const leaf = read(await issue(middle, 'a.example'));
    const known = [read(root.pem)];
    expect(isComplete([leaf, read(middle.pem)], known)).toBe(true);
    expect(isComplete([leaf, read(middle.pem), read(root.pem)], known)).toBe(true);
    expect(isComplete([read(await issue(root, 'a.example'))], known)).toBe(true);
  });
  it('as far as the CA gave it out, where the root itself is not known', async () => {
    const leaf = read(await issue(middle, 'a.example'));
    expect(isComplete([leaf, read(middle.pem)], [read(middle.pem)])).toBe(true);
    expect(isComplete([leaf], [read(middle.pem)])).toBe(false);
  });
  it.each([
    ['with what lies between missing', async () => [read(await issue(middle, 'a.example'))]],
    ['in another order', async () => [read(middle.pem), read(await issue(middle, 'a.example'))]],
    ['with another’s certificate above', async () => [read(await issue(middle, 'a.example')), read(stranger.pem)]],
    ['of another root', async () => [read(await issue(stranger, 'a.example')), read(stranger.pem)]],
    ['that is empty', async () => []],
    ['without end', async () => Array.from({ length: 11 }, () => read(root.pem))],
  ])('but not one %s', async (_what, chain) => {
    expect(isComplete(await chain(), [read(root.pem)])).toBe(false);
  });
});

describe('a server is observed', () => {
  it('by the name that is asked for, and with what it sends alone', async () => {
    const [one, two] = [await issue(middle, 'one.example'), await issue(middle, 'two.example')];
    const port = await serve(`${one}\n${middle.pem}`, { 'two.example': `${two}\n${middle.pem}` });
    const known = [read(root.pem)];
    const at = { address: '127.0.0.1', port };
    expect(await observe({ ...at, server_name: 'two.example' }, known)).toEqual({
      address: '127.0.0.1',
      fingerprint: fingerprint(two),
      chain_complete: true,
    });
    // An address is not asked for by SNI: the server's own is what comes.
    expect((await observe({ ...at, server_name: '127.0.0.1' }, known)).fingerprint).toBe(fingerprint(one));
  });
  it('that leaves a certificate of its chain out', async () => {
    const port = await serve(await issue(middle, 'one.example'));
    const seen = await observe({ address: '127.0.0.1', port, server_name: 'one.example' }, [
      read(middle.pem),
      read(root.pem),
    ]);
    expect(seen.chain_complete).toBe(false);
  });
  it('whoever signed its certificate, and however long ago it ended', async () => {
    const { pem } = await stranger.issue(key, 'CN=old.example', { names: ['old.example'], days: -1 });
    const port = await serve(pem);
    const seen = await observe({ address: '127.0.0.1', port, server_name: 'old.example' }, [read(root.pem)]);
    expect(seen).toEqual({ address: '127.0.0.1', fingerprint: fingerprint(pem), chain_complete: false });
  });
  it.each([
    ['that is not there', async () => 1],
    ['that closes the connection', () => listen(createTcpServer((socket) => socket.destroy()))],
    ['that talks something else', () => listen(createTcpServer((socket) => socket.end('220 mail.example ESMTP\r\n')))],
  ])('and one %s is an error', async (_what, start) => {
    const port = await start();
    await expect(dial({ address: '127.0.0.1', port, server_name: 'a.example' })).rejects.toThrow();
  });
});

describe('what is wrong with what was seen', () => {
  const good = 'ab'.repeat(32);
  const bad = 'cd'.repeat(32);
  it.each([
    [[{ address: '192.0.2.1', fingerprint: good, chain_complete: true }], null],
    [
      [
        { address: '192.0.2.1', fingerprint: good, chain_complete: true },
        { address: '192.0.2.2', fingerprint: bad, chain_complete: true },
      ],
      `${good} is not served everywhere: 192.0.2.2 serves ${bad}`,
    ],
    [
      [{ address: '::1', fingerprint: good, chain_complete: false }],
      `${good} is not served everywhere: ::1 serves it with an incomplete chain`,
    ],
    [[], 'no address was looked at'],
  ])('%j: %s', (observed, wrong) => {
    expect(whatIsWrong(observed, good)).toBe(wrong);
  });

  it('is looked at again until the policy’s time is over', () => {
    const policy = policyWith({ timeouts_seconds: { csr: 10, challenge: 10, deploy: 10, validate: 60 } });
    const history: Job['history'] = [
      { status: 'VALIDATING', at: 0 },
      { status: 'FAILED', at: 1 },
      { status: 'VALIDATING', at: 100_000 },
    ];
    const job = { policy, history };
    expect(notServed(job, 'wrong', 159_999).name).toBe('NotServed');
    expect(notServed(job, 'wrong', 160_000)).toMatchObject({ name: 'Conflict', message: 'wrong; 60 s are over' });
  });
});
