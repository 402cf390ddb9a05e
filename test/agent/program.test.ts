/** The agent as the program that a node runs: the seed's command line, signals, and what its log says and never says. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Authority, makeAuthority } from '../cli/authority.ts';
import { certify, names, newJob } from './job.ts';
import { type Peer, startPeer } from './peer.ts';
import { buildProgram, type Program, type Started, startProgram } from './program.ts';
import { until } from './until.ts';

let ca: Authority;
let program: Program;
let peer: Peer;
let enrolment: Peer;
let home: string;
const started: Started[] = [];
const file = (...parts: string[]) => join(home, ...parts);
beforeAll(async () => {
  ca = await makeAuthority('CN=CA');
  program = await buildProgram();
});
afterAll(() => program.remove());
beforeEach(async () => {
  peer = await startPeer(ca);
  enrolment = await startPeer(ca, { open: true });
  enrolment.certify = async ({ body }) => ({
    status: 201,
    body: {
      ...(await ca.certify(String(body.csr), 'CN=agent-edge-1')),
      principal_id: 'agent-edge-1',
      chain: '',
      server: peer.url,
    },
  });
  home = mkdtempSync(join(tmpdir(), 'everleaf-home-'));
  writeFileSync(file('ca.pem'), ca.pem);
  mkdirSync(file('.everleaf'), { mode: 0o700 });
  const endpoints = { web: { directory: file('web'), reload: ['/bin/sh', '-c', `env > '${file('env')}'`] } };
  writeFileSync(
    file('.everleaf/agent.json'),
    JSON.stringify({ endpoints, enroll_server: enrolment.url, cacert: file('ca.pem') }),
  );
});
afterEach(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  await peer.close();
  await enrolment.close();
  rmSync(home, { recursive: true, force: true });
});

const run = (args: readonly string[], env: Record<string, string> = {}): Started => {
  const agent = startProgram(program, ['agent', 'run', ...args], { env: { HOME: home, ...env } });
  started.push(agent);
  return agent;
};
/** Hands a task out and has the agent ask at once. */
const ask = async (agent: Started, task: Record<string, unknown>) => {
  peer.hand(task);
  agent.child.kill('SIGHUP');
  const [answer] = await until(
    () => `an answer\n${agent.said()}`,
    () => peer.answers.get(String(task.task_id)),
  );
  return answer;
};

it('joins as the runbook types it, with a warning, and as itself after that', async () => {
  const agent = run(['--fleet-id=XXX', '--api-key=the-fleets-key']);
  await until('a heartbeat', () => peer.heartbeats().length > 0);
  expect(agent.said()).toMatch(/^warning: --api-key shows the key .*\n.* info enrolled principal_id=agent-edge-1 /);
  expect(enrolment.asked[0]?.body).toMatchObject({ fleet_id: 'XXX', token: 'the-fleets-key' });
  expect(peer.heartbeats()[0]?.caller).toBe('agent-edge-1');
  agent.child.kill('SIGTERM');
  expect(await agent.ended).toBe(0);
  const again = run(['--fleet-id=XXX', '--api-key=the-fleets-key']);
  await until('another heartbeat', () => peer.heartbeats().length > 1);
  expect(enrolment.asked).toHaveLength(1);
  again.child.kill('SIGINT');
  expect(await again.ended).toBe(0);
});
it('logs one JSON object a line, and never a key, a token or a request’s secret', async () => {
  const agent = run(['--fleet-id=edge', '--output=json'], { EVERLEAF_API_KEY: 'the-fleets-key' });
  await until('a heartbeat', () => peer.heartbeats().length > 0);
  const job = newJob();
  const csr = await ask(agent, { ...job, kind: 'make_csr', task_id: 'csr', names, key_type: 'ec-p256' });
  const deployed = await ask(agent, {
    ...job,
    kind: 'deploy',
    task_id: 'deploy',
    ...(await certify(ca, String(csr?.csr))),
  });
  expect(deployed?.status).toBe('done');
  agent.child.kill('SIGTERM');
  await agent.ended;
  const lines = agent
    .said()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.map(({ event }) => event)).toEqual(
    expect.arrayContaining(['enrolled', 'agent runs', 'make_csr done', 'deploy done', 'agent ends']),
  );
  for (const line of lines) expect(line).toMatchObject({ time: expect.stringMatching(/^\d{4}-.*Z$/), level: 'info' });
  const keys = [file('.everleaf/agent-key.pem'), file('web/current/key.pem')].map((name) => readFileSync(name, 'utf8'));
  for (const secret of [...keys.map((pem) => pem.split('\n')[1] ?? ''), 'the-fleets-key', 'PRIVATE KEY'])
    expect(agent.said()).not.toContain(secret);
  const everything = JSON.stringify([...peer.asked, ...enrolment.asked.map(({ body: { token: _, ...rest } }) => rest)]);
  for (const pem of keys) expect(everything).not.toContain(pem.split('\n')[1]);
});
it('hands the token to no command', async () => {
  const agent = run(['--fleet-id=edge'], { EVERLEAF_API_KEY: 'the-fleets-key', AWS_SECRET_ACCESS_KEY: 'x' });
  await until('a heartbeat', () => peer.heartbeats().length > 0);
  const job = newJob();
  const csr = await ask(agent, { ...job, kind: 'make_csr', task_id: 'csr', names, key_type: 'ec-p256' });
  await ask(agent, { ...job, kind: 'deploy', task_id: 'deploy', ...(await certify(ca, String(csr?.csr))) });
  const given = readFileSync(file('env'), 'utf8');
  expect(given).toContain('EVERLEAF_ENDPOINT=web');
  expect(given).not.toMatch(/the-fleets-key|AWS_/);
});
it('says what is wrong with its file, and ends with 2', async () => {
  writeFileSync(file('.everleaf/agent.json'), '{"endpoint": {}}');
  const agent = run([]);
  expect([await agent.ended, agent.said()]).toEqual([
    2,
    expect.stringMatching(/^everleaf: .*agent\.json: endpoint is not a setting\n$/),
  ]);
});
it('does nothing between two heartbeats: no processor time, no open connection', async () => {
  const agent = run(['--fleet-id=edge'], { EVERLEAF_API_KEY: 'x' });
  await until('a heartbeat', () => peer.heartbeats().length > 0);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const ticks = () => {
    const [, , , , , , , , , , , user = '0', system = '0'] =
      readFileSync(`/proc/${agent.child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(user) + Number(system);
  };
  const before = ticks();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  // A tick is 10 ms.
  expect(ticks() - before).toBeLessThanOrEqual(1);
  const fds = readFileSync(`/proc/${agent.child.pid}/net/tcp`, 'utf8');
  const port = Number(new URL(peer.url).port).toString(16).toUpperCase().padStart(4, '0');
  // State 01: established.
  expect(fds.split('\n').filter((line) => line.includes(`:${port} 01 `))).toEqual([]);
});

it('does not grow with renewals', async () => {
  const agent = run(['--fleet-id=edge'], { EVERLEAF_API_KEY: 'x' });
  await until('a heartbeat', () => peer.heartbeats().length > 0);
  /** Resident, MB. */
  const size = () =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${agent.child.pid}/status`, 'utf8'))?.[1]) / 1000;
  const renew = async (times: number) => {
    for (let left = times; left > 0; left -= 1) {
      const job = newJob();
      const csr = await ask(agent, {
        ...job,
        kind: 'make_csr',
        task_id: `csr-${job.job_id}`,
        names,
        key_type: 'ec-p256',
      });
      const task = { ...job, kind: 'deploy', task_id: `deploy-${job.job_id}` };
      expect(await ask(agent, { ...task, ...(await certify(ca, String(csr?.csr))) })).toMatchObject({ status: 'done' });
    }
    return size();
  };
  const early = await renew(15);
  const late = await renew(process.env.EVERLEAF_TEST_FULL === '1' ? 185 : 25);
  expect(late - early).toBeLessThan(20);
}, 120_000);
