/** A server that is down, slow, refuses, loses answers or lies; a clock that is wrong; a file that changes. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Authority, makeAuthority } from '../cli/authority.ts';
import { ask, askCsr, certify, names, newJob, renew } from './job.ts';
import { openNode, type RunningAgent, script, type TestNode, text } from './node.ts';
import { type Peer, type Reply, startPeer } from './peer.ts';
import { until } from './until.ts';

let ca: Authority;
let peer: Peer;
let node: TestNode;
beforeAll(async () => {
  ca = await makeAuthority('CN=CA');
});
beforeEach(async () => {
  peer = await startPeer(ca);
  node = await openNode(ca, peer.url);
});
afterEach(async () => {
  await node.close();
  await peer.close();
});

const complaints = (agent: RunningAgent) => agent.said.filter(({ level }) => level === 'error');
const calls = () => (existsSync(node.file('calls')) ? text(node.file('calls')).trim().split('\n') : []);
const countReloads = () => {
  node.settings.endpoints = {
    web: { directory: node.file('web'), reload: [script(node, 'reload', `echo x >> '${node.file('calls')}'`)] },
  };
};

describe('a heartbeat', () => {
  it('says who reports, what stands where, and what time it is here', async () => {
    await node.start();
    const [first] = await until('a heartbeat', () => peer.heartbeats().length > 0 && peer.heartbeats());
    expect(first?.caller).toBe('agent-edge-1');
    expect(first?.body).toEqual({
      version: '1.2.3',
      now: expect.any(Number),
      endpoints: [{ endpoint_id: 'web', fingerprint: null, not_after: null }],
    });
    expect(Math.abs(Number(first?.body.now) - Date.now())).toBeLessThan(5_000);
  });
  it('comes again when the server said, and not before', async () => {
    peer.poll_after_seconds = 2;
    await node.start({ random: () => 0 });
    const [first, second] = await until('two heartbeats', () => peer.heartbeats().length > 1 && peer.heartbeats());
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_590);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeLessThan(2_500);
  });
});

describe('the agent keeps its identity and comes back by itself', () => {
  const refusals: [string, Reply | 'lost', RegExp][] = [
    [
      'its principal is suspended',
      { status: 401, body: { message: 'principal suspended: audit' } },
      /^401 principal suspended: audit$/,
    ],
    [
      'its certificate is revoked',
      { status: 401, body: { message: 'certificate revoked: superseded' } },
      /certificate revoked/,
    ],
    ['the gate forbids it', { status: 403, body: { detail: 'only agents' } }, /^403 only agents$/],
    ['the truststore does not know its CA', { status: 403, body: { message: 'Forbidden' } }, /does not trust the CA/],
    [
      'the gate is down',
      { status: 503, body: { message: 'authentication unavailable' } },
      /^503 authentication unavailable$/,
    ],
    ['something else answers', { status: 200, body: '<html>' }, /is it an Everleaf server/],
    ['the connection is lost', 'lost', /closed the connection/],
  ];
  it.each(refusals)('when %s', async (_, reply, said) => {
    const before = [readFileSync(node.file('cert.pem')), readFileSync(node.file('key.pem'))];
    peer.weather = () => reply;
    const agent = await node.start();
    const [complaint] = await until('a complaint', () => complaints(agent).length > 0 && complaints(agent));
    expect(complaint).toMatchObject({ event: 'heartbeat failed', fields: { reason: expect.stringMatching(said) } });
    peer.weather = () => null;
    agent.reread();
    await until('it is well again', () => agent.said.some(({ event }) => event === 'no more: heartbeat failed'));
    expect([readFileSync(node.file('cert.pem')), readFileSync(node.file('key.pem'))]).toEqual(before);
    expect((await renew(peer, agent, ca)).answer).toMatchObject({ status: 'done' });
  });
  it('waits as Retry-After says, and complains once', async () => {
    peer.weather = ({ path }) =>
      path.endsWith('heartbeat') ? { status: 429, headers: { 'retry-after': '7' }, body: {} } : null;
    const agent = await node.start({ random: () => 0 });
    await until('a complaint', () => complaints(agent).length > 0);
    await new Promise((resolve) => setTimeout(resolve, 5_500));
    expect(peer.heartbeats()).toHaveLength(1);
    await until('the second', () => peer.heartbeats().length === 2, 4_000);
    expect(complaints(agent)).toHaveLength(1);
  }, 20_000);
});

describe('an answer', () => {
  it('that is lost is sent again, and nothing is done again', async () => {
    countReloads();
    const agent = await node.start();
    const job = newJob();
    const certified = await certify(ca, await askCsr(peer, agent, job));
    let lose = 2;
    peer.weather = ({ path }) => {
      if (!path.endsWith('/tasks/deploy') || lose === 0) return null;
      lose -= 1;
      return { status: 503 };
    };
    peer.hand({ ...job, kind: 'deploy', task_id: 'deploy', ...certified });
    for (let tries = 0; tries < 3; tries += 1) {
      agent.reread();
      await until('it was sent', () => peer.asked.filter(({ path }) => path.endsWith('/tasks/deploy')).length > tries);
    }
    expect(await until('it was taken', () => peer.answers.get('deploy'))).toEqual([
      { status: 'done', fingerprint: certified.fingerprint, previous_fingerprint: null },
    ]);
    expect(calls()).toEqual(['x']);
  });
  it('whose taking is lost is the same the next time', async () => {
    const agent = await node.start();
    peer.weather = ({ path }) => (path.endsWith('/tasks/csr') && !peer.answers.has('csr') ? 'lost' : null);
    const task = { ...newJob(), kind: 'make_csr', names: ['web.test'], key_type: 'ec-p256', task_id: 'csr' };
    peer.hand(task);
    agent.reread();
    await until('it arrived', () => peer.answers.get('csr'));
    peer.hand(task);
    agent.reread();
    const answers = await until(
      'it arrived again',
      () => (peer.answers.get('csr')?.length ?? 0) > 1 && peer.answers.get('csr'),
    );
    expect(answers[1]).toEqual(answers[0]);
  });
  it('is the same to the letter after the agent was started anew', async () => {
    await node.deployed();
    let agent = await node.start();
    const job = newJob();
    const csr = { ...job, kind: 'make_csr', names, key_type: 'ec-p256', task_id: 'csr' };
    const answer = await ask(peer, agent, csr);
    const deploy = { ...job, kind: 'deploy', task_id: 'deploy', ...(await certify(ca, String(answer.csr))) };
    await ask(peer, agent, deploy);
    for (const task of [csr, deploy]) {
      await agent.stop();
      peer.hand(task);
      agent = await node.start();
      const [first, again] = await until(
        'it is answered again',
        () => peer.answers.get(task.task_id)?.length === 2 && peer.answers.get(task.task_id),
      );
      expect(JSON.stringify(again)).toBe(JSON.stringify(first));
    }
  });
  it('that the server does not want any more changes nothing', async () => {
    const agent = await node.start();
    peer.weather = ({ path }) =>
      path.includes('/tasks/gone') ? { status: 404, body: { detail: 'no such task' } } : null;
    peer.hand({ ...newJob(), kind: 'make_csr', names: ['web.test'], key_type: 'ec-p256', task_id: 'gone' });
    agent.reread();
    await until('it is said once', () => complaints(agent).some(({ event }) => event.includes('gone not taken')));
    peer.tasks.length = 0;
    expect((await renew(peer, agent, ca)).answer).toMatchObject({ status: 'done' });
  });
});

describe('a server that hands out nonsense', () => {
  it.each([
    ['of an unknown kind', { kind: 'run_command', command: ['id'] }, /cannot do run_command/],
    [
      'whose job is a path',
      { kind: 'make_csr', job_id: '../../etc/x', names: ['a.test'], key_type: 'ec-p256' },
      /job_id/,
    ],
    ['for a name that is none', { kind: 'make_csr', names: ['a b,CN=evil'], key_type: 'ec-p256' }, /names/],
    ['for a key that is too weak', { kind: 'make_csr', names: ['a.test'], key_type: 'rsa-1024' }, /key_type/],
    ['whose time is over', { kind: 'make_csr', names: ['a.test'], key_type: 'ec-p256', expires_at: 1 }, /too late/],
  ])('gets a reason for a task %s', async (_, task, said) => {
    const agent = await node.start();
    expect(await ask(peer, agent, { ...newJob(), ...task })).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(said),
    });
    expect((await renew(peer, agent, ca)).answer).toMatchObject({ status: 'done' });
  });
  it('is not brought down by a task without a name', async () => {
    const agent = await node.start();
    peer.hand({});
    peer.tasks.push('x' as never, null as never);
    expect((await renew(peer, agent, ca)).answer).toMatchObject({ status: 'done' });
  });
});

describe('a clock that is wrong', () => {
  it.each([3_600_000, -3_600_000])('by %d ms is complained of once, and the server’s is gone by', async (off) => {
    const agent = await node.start({ now: () => Date.now() + off });
    const warned = () => agent.said.filter(({ event }) => event === 'clock is off');
    await until('a warning', () => warned().length > 0);
    expect(warned()[0]).toMatchObject({ level: 'warning', fields: { ahead_seconds: off / 1000 } });
    expect((await renew(peer, agent, ca)).answer).toMatchObject({ status: 'done' });
    expect(warned()).toHaveLength(1);
  });
  it('by half a minute is not', async () => {
    const agent = await node.start({ now: () => Date.now() + 30_000 });
    await renew(peer, agent, ca);
    expect(agent.said.filter(({ level }) => level !== 'info')).toEqual([]);
  });
});

describe('its file', () => {
  it('is read again without a restart', async () => {
    const agent = await node.start();
    node.settings.endpoints = { web: { directory: node.file('web') }, mail: { directory: node.file('mail') } };
    agent.reread();
    expect((await renew(peer, agent, ca, newJob('mail'))).answer).toMatchObject({ status: 'done' });
  });
  it('that has become wrong is not taken: the one before stays', async () => {
    const agent = await node.start();
    node.settings.typo = 1;
    agent.reread();
    expect(complaints(agent)).toMatchObject([{ fields: { reason: expect.stringContaining('typo is not a setting') } }]);
    delete node.settings.typo;
    expect((await renew(peer, agent, ca)).answer).toMatchObject({ status: 'done' });
  });
  it('may not move the state folder of an agent that runs', async () => {
    const agent = await node.start();
    node.settings.state_dir = node.file('elsewhere');
    agent.reread();
    expect(complaints(agent)).toMatchObject([{ fields: { reason: expect.stringContaining('restart') } }]);
  });
});

describe('an agent', () => {
  it('does not start beside another one in the same folder, and does after that was killed', async () => {
    await (await node.start()).stop();
    expect(existsSync(node.file('state', 'agent.lock'))).toBe(false);
    const started = text(`/proc/${process.ppid}/stat`).split(') ')[1]?.split(' ')[19];
    writeFileSync(node.file('state', 'agent.lock'), `${process.ppid} ${started}\n`);
    await expect(node.start()).rejects.toThrow('another agent works in');
    // The number was given to another process since.
    writeFileSync(node.file('state', 'agent.lock'), `${process.ppid} 1\n`);
    await node.start();
  });
  it('that is told to end while a command runs finishes that deployment, and reports it at its next start', async () => {
    node.settings.endpoints = {
      web: {
        directory: node.file('web'),
        reload: [script(node, 'reload', `echo x >> '${node.file('calls')}'; sleep 1`)],
      },
    };
    let agent = await node.start();
    const job = newJob();
    const certified = await certify(ca, await askCsr(peer, agent, job));
    peer.hand({ ...job, kind: 'deploy', task_id: 'deploy', ...certified });
    agent.reread();
    await until('it reloads', () => calls().length > 0);
    await agent.stop();
    expect(peer.answers.has('deploy')).toBe(false);
    agent = await node.start();
    await until('the answer', () => peer.answers.has('deploy'));
    expect(calls()).toEqual(['x']);
  });
  it('that is told to end before anything was put in place leaves everything as it was', async () => {
    const before = await node.deployed();
    const check = [script(node, 'check', `echo x >> '${node.file('calls')}'; sleep 1`), '{candidate}'];
    node.settings.endpoints = { web: { directory: node.file('web'), check } };
    const agent = await node.start();
    const job = newJob();
    const certified = await certify(ca, await askCsr(peer, agent, job));
    peer.hand({ ...job, kind: 'deploy', task_id: 'deploy', ...certified });
    agent.reread();
    await until('it checks', () => calls().length > 0);
    await agent.stop();
    const { readLink } = await import('../../src/agent/versions.ts');
    const { placeOf } = await import('./node.ts');
    expect(readLink(placeOf(node.file('web')), 'current')).toBe(before);
    await node.start();
    expect(await until('the answer', () => peer.answers.get('deploy'))).toMatchObject([{ status: 'done' }]);
  });
});
