/** A renewal on a node with a real consumer: what ends in place, what is served, and what is put back when something fails. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { belongTogether, readKey } from '../../src/cli/pair.ts';
import { type Authority, makeAuthority } from '../cli/authority.ts';
import { type Consumer, startConsumer } from './consumer.ts';
import { ask, askCsr, certify, newJob, renew } from './job.ts';
import { openNode, script, type TestNode, text } from './node.ts';
import { type Peer, startPeer } from './peer.ts';
import { until } from './until.ts';

let ca: Authority;
let peer: Peer;
let node: TestNode;
let consumer: Consumer | null;
beforeAll(async () => {
  ca = await makeAuthority('CN=CA');
});
beforeEach(async () => {
  peer = await startPeer(ca);
  node = await openNode(ca, peer.url);
  consumer = null;
});
afterEach(async () => {
  await node.close();
  await consumer?.stop();
  await peer.close();
});

const current = () => readlinkSync(node.file('web', 'current')).replace('versions/', '');
const web = (settings: object) => {
  node.settings.endpoints = { web: { directory: node.file('web'), ...settings } };
};
const byHangup = () => ({ reload: { signal: 'SIGHUP', pid_file: node.file('pid') } });
/** An endpoint in service, with its consumer. */
const serving = async (settings: object) => {
  const before = await node.deployed();
  consumer = await startConsumer(node.file('web'), node.file('pid'));
  web({ ...byHangup(), ...settings });
  return { before, consumer };
};
const calls = () => (existsSync(node.file('calls')) ? text(node.file('calls')).trim().split('\n') : []);

describe('a deployment', () => {
  it('changes what is served, without a connection that fails, and keeps what was served before', async () => {
    const { before, consumer } = await serving({});
    const agent = await node.start();
    const seen = new Set<string>();
    let looking = true;
    const load = (async () => {
      while (looking) seen.add(await consumer.served());
    })();
    const { answer, certified } = await renew(peer, agent, ca);
    expect(answer).toEqual({ status: 'done', fingerprint: certified.fingerprint, previous_fingerprint: before });
    await until('the new certificate is served', () => seen.has(certified.fingerprint));
    looking = false;
    await load;
    expect([...seen]).toEqual([before, certified.fingerprint]);
    expect(current()).toBe(certified.fingerprint);
    expect(readlinkSync(node.file('web', 'previous'))).toBe(`versions/${before}`);
  });
  it('leaves a matching pair and its chain, readable by its owner alone, and nothing else', async () => {
    const agent = await node.start();
    const { certified, answer } = await renew(peer, agent, ca);
    expect(answer).toMatchObject({ status: 'done', previous_fingerprint: null });
    const file = (name: string) => node.file('web', 'current', name);
    const key = readKey(text(file('key.pem')));
    expect(key !== null && belongTogether(text(file('fullchain.pem')), key)).toBe(true);
    expect(text(file('fullchain.pem'))).toBe(certified.pem + ca.pem);
    expect([text(file('cert.pem')), text(file('chain.pem'))]).toEqual([certified.pem, ca.pem]);
    for (const name of readdirSync(node.file('web', 'current'))) expect(statSync(file(name)).mode & 0o777).toBe(0o600);
    for (const folder of ['', 'versions', 'current'])
      expect(statSync(node.file('web', folder)).mode & 0o777).toBe(0o700);
    expect(readdirSync(node.file('web')).sort()).toEqual(['current', 'versions']);
    expect(readdirSync(node.file('state', 'journal'))).toEqual([]);
  });
  it('keeps two versions: older ones go once a later deployment was taken', async () => {
    const agent = await node.start();
    const first = await renew(peer, agent, ca);
    const second = await renew(peer, agent, ca);
    expect(node.versions()).toEqual([first, second].map(({ certified }) => certified.fingerprint).sort());
    const third = await renew(peer, agent, ca);
    await until('the first version is gone', () => node.versions().length === 2);
    expect(node.versions()).toEqual([second, third].map(({ certified }) => certified.fingerprint).sort());
  });
  it('tells the next heartbeat what stands there and until when', async () => {
    const agent = await node.start();
    const { certified } = await renew(peer, agent, ca);
    agent.reread();
    const standing = await until('a heartbeat about it', () => {
      const [endpoint] = (peer.heartbeats().at(-1)?.body.endpoints ?? []) as {
        fingerprint: string;
        not_after: number;
      }[];
      return endpoint?.fingerprint === certified.fingerprint && endpoint;
    });
    expect(standing).toMatchObject({ endpoint_id: 'web' });
    expect(standing.not_after).toBeGreaterThan(Date.now() + 89 * 86_400_000);
  });
  it('lets the group read where the node’s file says so, and nobody else', async () => {
    mkdirSync(node.file('web'), { mode: 0o750 });
    chmodSync(node.file('web'), 0o750);
    web({ group_readable: true });
    const agent = await node.start();
    await renew(peer, agent, ca);
    expect(statSync(node.file('web', 'current')).mode & 0o777).toBe(0o750);
    expect(statSync(node.file('web', 'current', 'key.pem')).mode & 0o777).toBe(0o640);
  });
});

describe('the check', () => {
  it('that names {candidate} sees the new version before anything is changed', async () => {
    const { before, consumer } = await serving({
      check: [
        script(node, 'check', `echo "$1" $(readlink '${node.file('web', 'current')}') >> '${node.file('calls')}'`),
        '{candidate}',
      ],
    });
    const agent = await node.start();
    const { certified } = await renew(peer, agent, ca);
    expect(calls()).toEqual([`${node.file('web', 'versions', certified.fingerprint)} versions/${before}`]);
    await until('the new certificate is served', async () => (await consumer.served()) === certified.fingerprint);
  });
  it.each([
    ['before', ['{candidate}']],
    ['after', []],
  ])('that fails %s the swap leaves everything as it was, and reloads nothing', async (_, more) => {
    const { before, consumer } = await serving({
      check: [script(node, 'check', 'echo "line 7: unknown directive" >&2; exit 1'), ...more],
      reload: [script(node, 'reload', `echo reloaded >> '${node.file('calls')}'`)],
    });
    const agent = await node.start();
    const { answer } = await renew(peer, agent, ca);
    expect(answer).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/ended with 1: line 7: unknown directive$/),
    });
    expect([current(), await consumer.served(), calls()]).toEqual([before, before, []]);
    expect(existsSync(node.file('web', 'previous'))).toBe(false);
  });
  it('that fails on an endpoint’s first deployment leaves it without one', async () => {
    web({ check: ['false'] });
    const agent = await node.start();
    expect((await renew(peer, agent, ca)).answer).toMatchObject({ status: 'failed' });
    expect(readdirSync(node.file('web'))).toEqual(['versions']);
  });
});

describe('a reload', () => {
  it('that fails puts the old version back and reloads again', async () => {
    const { before, consumer } = await serving({
      reload: [
        script(
          node,
          'reload',
          `echo $EVERLEAF_FINGERPRINT >> '${node.file('calls')}'; kill -HUP $(cat '${node.file('pid')}'); exit 1`,
        ),
      ],
    });
    const agent = await node.start();
    const { answer, certified } = await renew(peer, agent, ca);
    expect(answer.status).toBe('failed');
    expect(answer.reason).toMatch(
      /ended with 1; the previous certificate is back in place, but reloading failed again/,
    );
    expect(calls()).toEqual([certified.fingerprint, before]);
    expect(current()).toBe(before);
    await until('the old certificate is served', async () => (await consumer.served()) === before);
  });
  it('that hangs is ended with all that it started, within its time', async () => {
    const { before, consumer } = await serving({
      timeout_seconds: 1,
      reload: [
        script(
          node,
          'reload',
          `test -e '${node.file('hung')}' && exit 0; touch '${node.file('hung')}'
           trap '' TERM; sleep 300 & echo $! > '${node.file('child')}'; while :; do wait; done`,
        ),
      ],
    });
    const agent = await node.start();
    const { job_id } = newJob();
    const job = { job_id, endpoint_id: 'web' };
    const certified = await certify(ca, await askCsr(peer, agent, job));
    peer.hand({ ...job, kind: 'deploy', task_id: 'hangs', ...certified });
    agent.reread();
    const [answer] = await until('an answer', () => peer.answers.get('hangs'), 15_000);
    expect(answer).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/did not end within 1 seconds; the previous certificate is back in place$/),
    });
    expect([current(), await consumer.served()]).toEqual([before, before]);
    const child = Number(text(node.file('child')));
    await until('what it started has ended', () => {
      try {
        process.kill(child, 0);
        // A container without an init keeps what has ended as a zombie.
        return text(`/proc/${child}/stat`).split(') ')[1]?.startsWith('Z');
      } catch {
        return true;
      }
    });
  }, 30_000);
  it('that hangs at one endpoint holds up no other', async () => {
    await node.deployed('slow');
    node.settings.endpoints = {
      web: { directory: node.file('web') },
      slow: {
        directory: node.file('slow'),
        reload: [
          script(
            node,
            'hang',
            `test -e '${node.file('hung')}' && exit 0; echo $$ > '${node.file('hung')}'; exec sleep 60`,
          ),
        ],
      },
    };
    const agent = await node.start();
    const job = newJob('slow');
    const certified = await certify(ca, await askCsr(peer, agent, job));
    peer.hand({ ...job, kind: 'deploy', task_id: 'slow', ...certified });
    agent.reread();
    await until('the slow one is in place', () =>
      readlinkSync(node.file('slow', 'current')).endsWith(certified.fingerprint),
    );
    expect((await renew(peer, agent, ca)).answer).toMatchObject({ status: 'done' });
    expect(peer.answers.has('slow')).toBe(false);
    process.kill(Number(text(node.file('hung'))), 'SIGKILL');
  });
  it.each([
    ['is missing', () => {}, /cannot read .*pid: does the consumer run\?/],
    ['names process 1', () => writeFileSync(node.file('pid'), '1\n'), /holds no process id/],
    ['names nobody', () => writeFileSync(node.file('pid'), '99999999\n'), /does not run/],
  ])('by signal whose pid file %s fails and says so', async (_, prepare, said) => {
    const before = await node.deployed();
    web(byHangup());
    prepare();
    const agent = await node.start();
    const { answer } = await renew(peer, agent, ca);
    expect(answer).toMatchObject({ status: 'failed', reason: expect.stringMatching(said) });
    expect(current()).toBe(before);
  });
});

describe('a certificate is not deployed', () => {
  let agent: Awaited<ReturnType<TestNode['start']>>;
  const job = { job_id: 'job-bad', endpoint_id: 'web' };
  const deploy = async (
    change: (good: Awaited<ReturnType<typeof certify>>, csr: string) => object | Promise<object>,
  ) => {
    const before = await node.deployed();
    agent = await node.start();
    const csr = await askCsr(peer, agent, job);
    const good = await certify(ca, csr);
    const answer = await ask(peer, agent, { ...job, kind: 'deploy', ...good, ...(await change(good, csr)) });
    expect(current()).toBe(before);
    expect(answer.status).toBe('failed');
    return answer.reason;
  };
  const otherKey = async () => {
    const { makeKey } = await import('../../src/authority/make-csr.ts');
    const { pem } = await ca.issue(makeKey(), 'CN=web.test', { names: ['web.test', 'www.web.test'] });
    const { fingerprintOf } = await import('../../src/agent/fingerprint.ts');
    return { pem, fingerprint: fingerprintOf(pem) };
  };

  it('with another fingerprint than was said', async () => {
    expect(await deploy(() => ({ fingerprint: 'ab'.repeat(32) }))).toMatch(/another fingerprint/);
  });
  it('of another key', async () => {
    expect(await deploy(otherKey)).toMatch(/not of the key that this node made/);
  });
  it('for other names', async () => {
    expect(await deploy((_, csr) => certify(ca, csr, { names: ['web.test'] }))).toMatch(/is not for www\.web\.test/);
  });
  it('that has expired', async () => {
    expect(await deploy((_, csr) => certify(ca, csr, { days: -1 }))).toMatch(/expired on/);
  });
  it('with a chain that is none', async () => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    expect(await deploy(() => ({ chain: broken }))).toMatch(/chain holds something/);
  });
  it('for a job that this node made no key for', async () => {
    expect(await deploy(() => ({ job_id: 'job-elsewhere' }))).toMatch(/no key for job job-elsewhere/);
  });
  it('into a folder that others can look into, or for an endpoint that the node’s file does not name', async () => {
    const before = await node.deployed();
    chmodSync(node.file('web'), 0o755);
    agent = await node.start();
    const { answer } = await renew(peer, agent, ca);
    expect(answer).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining(`chmod 700 ${node.file('web')}`),
    });
    expect(current()).toBe(before);
    await expect(renew(peer, agent, ca, newJob('elsewhere'))).rejects.toThrow('no endpoint elsewhere');
  });
  it('where something else stands in the place of the link', async () => {
    mkdirSync(node.file('web'), { mode: 0o700 });
    symlinkSync('/etc', node.file('web', 'current'));
    agent = await node.start();
    const { answer } = await renew(peer, agent, ca);
    expect(answer).toMatchObject({ status: 'failed', reason: expect.stringContaining('none of the agent') });
    expect(readlinkSync(node.file('web', 'current'))).toBe('/etc');
  });
});

describe('restoring', () => {
  it('puts back what was served before, and reloads', async () => {
    const { before, consumer } = await serving({});
    const agent = await node.start();
    const { job, certified } = await renew(peer, agent, ca);
    await until('the new certificate is served', async () => (await consumer.served()) === certified.fingerprint);
    const task = { ...job, kind: 'restore', fingerprint: certified.fingerprint, previous_fingerprint: before };
    expect(await ask(peer, agent, task)).toEqual({ status: 'done', fingerprint: before });
    expect(current()).toBe(before);
    await until('the old certificate is served', async () => (await consumer.served()) === before);
  });
  it('takes nothing away where nothing was before', async () => {
    const agent = await node.start();
    const { job, certified } = await renew(peer, agent, ca);
    const task = { ...job, kind: 'restore', fingerprint: certified.fingerprint, previous_fingerprint: null };
    expect(await ask(peer, agent, task)).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('nothing'),
    });
    expect(current()).toBe(certified.fingerprint);
  });
  it('does not undo what was deployed since', async () => {
    const before = await node.deployed();
    const agent = await node.start();
    const { job, certified } = await renew(peer, agent, ca);
    const later = await renew(peer, agent, ca);
    const task = { ...job, kind: 'restore', fingerprint: certified.fingerprint, previous_fingerprint: before };
    expect(await ask(peer, agent, task)).toMatchObject({ status: 'failed', reason: expect.stringContaining('since') });
    expect(current()).toBe(later.certified.fingerprint);
  });
  it('after a deployment that undid itself is done already, though the check still fails', async () => {
    const { before } = await serving({
      check: ['false'],
      reload: [script(node, 'reload', `echo x >> '${node.file('calls')}'`)],
    });
    const agent = await node.start();
    const { job, certified, answer } = await renew(peer, agent, ca);
    expect(answer.status).toBe('failed');
    const task = { ...job, kind: 'restore', fingerprint: certified.fingerprint, previous_fingerprint: before };
    expect(await ask(peer, agent, task)).toEqual({ status: 'done', fingerprint: before });
    expect([current(), calls()]).toEqual([before, []]);
  });
  it('reloads again where the deployment could not undo itself to the end', async () => {
    const { before } = await serving({
      reload: [
        script(node, 'reload', `echo x >> '${node.file('calls')}'; test $(wc -l < '${node.file('calls')}') -gt 2`),
      ],
    });
    const agent = await node.start();
    const { job, certified, answer } = await renew(peer, agent, ca);
    expect(answer.reason).toMatch(/reloading failed again/);
    const task = { ...job, kind: 'restore', fingerprint: certified.fingerprint, previous_fingerprint: before };
    expect(await ask(peer, agent, task)).toEqual({ status: 'done', fingerprint: before });
    expect(calls()).toEqual(['x', 'x', 'x']);
  });
  it('of a job that never came as far as this node is done already', async () => {
    const before = await node.deployed();
    web({ reload: ['false'] });
    const agent = await node.start();
    const task = { ...newJob(), kind: 'restore', fingerprint: 'ab'.repeat(32), previous_fingerprint: before };
    expect(await ask(peer, agent, task)).toEqual({ status: 'done', fingerprint: before });
  });
  it('is followed by the same job’s deployment when that is tried again', async () => {
    const { before, consumer } = await serving({});
    const agent = await node.start();
    const { job, certified } = await renew(peer, agent, ca);
    const back = { ...job, kind: 'restore', fingerprint: certified.fingerprint, previous_fingerprint: before };
    for (let round = 0; round < 2; round += 1) {
      expect(await ask(peer, agent, back)).toEqual({ status: 'done', fingerprint: before });
      await until('the old certificate is served', async () => (await consumer.served()) === before);
      const again = await ask(peer, agent, { ...job, kind: 'deploy', ...certified });
      expect(again).toEqual({ status: 'done', fingerprint: certified.fingerprint, previous_fingerprint: before });
      await until('the new certificate is served', async () => (await consumer.served()) === certified.fingerprint);
    }
  });
});

describe('what comes twice', () => {
  it('is answered again and not done again, whatever its name, also by an agent that was started anew', async () => {
    await node.deployed();
    web({ reload: [script(node, 'reload', `echo reloaded >> '${node.file('calls')}'`)] });
    let agent = await node.start();
    const { job, certified, answer } = await renew(peer, agent, ca);
    const task = { ...job, kind: 'deploy', ...certified };
    expect(await ask(peer, agent, { ...task, task_id: 'another name' })).toEqual(answer);
    await agent.stop();
    agent = await node.start();
    expect(await ask(peer, agent, { ...task, task_id: 'a third' })).toEqual(answer);
    expect(calls()).toEqual(['reloaded']);
  });
  it('is answered with the same request for the same job, and with another for another', async () => {
    let agent = await node.start();
    const job = newJob();
    const first = await askCsr(peer, agent, job);
    expect(await askCsr(peer, agent, job)).toBe(first);
    await agent.stop();
    agent = await node.start();
    expect(await askCsr(peer, agent, job)).toBe(first);
    expect(await askCsr(peer, agent, newJob())).not.toBe(first);
  });
  it('under a job’s id but for other names is refused', async () => {
    const agent = await node.start();
    const job = newJob();
    await askCsr(peer, agent, job);
    const other = { ...job, kind: 'make_csr', names: ['evil.test'], key_type: 'ec-p256' };
    expect(await ask(peer, agent, other)).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('web.test'),
    });
  });
});
