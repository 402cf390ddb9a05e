/** A renewal from its request to the endpoint that serves the new certificate, as the state machine and an agent make it. */
import { createPrivateKey } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readRow } from '../../src/endpoint/read-row.ts';
import { viewJob } from '../../src/renewal/job.ts';
import { watched } from '../aws/watched.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';
import type { TestNode } from './node.ts';

const diagram = [
  'PENDING',
  'CSR_REQUESTED',
  'CSR_RECEIVED',
  'CHALLENGE_PENDING',
  'CHALLENGE_COMPLETE',
  'ISSUING',
  'ISSUED',
  'DEPLOYING',
  'VALIDATING',
  'SUCCEEDED',
];

describeWithEmulator('a renewal', (emulator) => {
  let d: TestDeployment;
  let node: TestNode;

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    await d.makeFleet('web');
    node = await d.node('web', ['web-1']);
    await d.endpoint('web-1', node.port);
  });
  afterAll(() => d.close());

  it('walks the runbook’s states, and the endpoint serves the new certificate', async () => {
    const job_id = await d.run('web-1');
    expect((await d.job(job_id)).status).toBe('PENDING');
    await d.machine.goOn();
    expect(await d.job(job_id)).toMatchObject({ status: 'CSR_REQUESTED', task: { kind: 'make_csr' } });
    await d.settle(node);
    const job = await d.job(job_id);
    expect(job.history.map(({ status }) => status)).toEqual(diagram);
    expect(node.serving()).toBe(job.fingerprint);
    expect(viewJob(job)).toMatchObject({ live: false, certificate: { fingerprint: node.serving() } });
    const row = await readRow(d.world, 'web-1');
    expect(row).toMatchObject({
      agent_id: node.caller.principal_id,
      current: { fingerprint: job.fingerprint, serial_number: job.serial_number, not_after: job.not_after },
      expires_at: job.not_after,
    });
    expect(row).not.toHaveProperty('live_job');
    expect(d.machine.executions.get(job_id)).toMatchObject({ status: 'succeeded', transitions: 7 });
  });

  it('again has another key and certificate, and the one before stays on the node', async () => {
    const before = node.serving();
    const job_id = await d.run('web-1');
    await d.settle(node);
    const job = await d.job(job_id);
    expect(job).toMatchObject({ status: 'SUCCEEDED', previous_fingerprint: before });
    expect(node.serving()).toBe(job.fingerprint);
    expect(node.serving()).not.toBe(before);
  });

  it('is told by the audit step by step, each as the product’s own, and nothing of it is secret', async () => {
    const watching = watched(d.world, emulator.client(DynamoDBClient));
    const usual = d.world;
    d.world = { ...usual, documents: watching.world.documents };
    const job_id = await d.run('web-1');
    await d.settle(node);
    d.world = usual;
    const subject = `jobs/${job_id}`;
    const ofJob = watching.writes.filter((write) => write.subject === subject);
    const told = ofJob.flatMap(({ draft }) => draft?.action ?? []);
    expect(told).toEqual([
      'renewal_requested',
      'csr_requested',
      'csr_received',
      'challenge_started',
      'challenge_completed',
      'issuing_started',
      'certificate_issued',
      'deployment_started',
      'deployment_confirmed',
      'renewal_succeeded',
    ]);
    const actors = new Set(watching.writes.map(({ draft }) => draft?.actor).filter((actor) => actor !== undefined));
    const { deployment } = d.world;
    expect([...actors].sort()).toEqual(
      [
        'alice',
        node.caller.principal_id,
        `workflow:${deployment.name}-${deployment.environment}-renew-certificate/${job_id}`,
      ].sort(),
    );
    const actions = watching.writes.map(({ draft }) => draft?.action);
    expect(actions).not.toContain('out_of_band');
    expect(actions).not.toContain('stamp_forged');
    // That its key is claimed is told by the request itself.
    expect(actions).not.toContain('public_key_claimed');
    const entries = JSON.stringify(watching.writes);
    expect(entries).toContain(String((await d.job(job_id)).serial_number));
    const token = (await d.jobRow(job_id))?.task_token;
    expect(token).toBeUndefined();
    expect(entries).not.toContain('token-');
  });

  it('never lets a private key out of its node', async () => {
    expect(node.keys.length).toBeGreaterThan(2);
    const all = JSON.stringify([await d.allJobs(), [...d.machine.executions.values()]]);
    for (const key of node.keys) {
      const { d: scalar = '' } = createPrivateKey(key).export({ format: 'jwk' });
      const bytes = Buffer.from(scalar, 'base64url');
      expect(bytes).toHaveLength(32);
      // In PKCS#8 it begins with the 37th byte; of Base64, which knows groups of three, the first whole one after it.
      const body = key.replace(/-----[^-]+-----|\s/g, '');
      for (const form of [scalar, bytes.toString('hex'), bytes.toString('base64'), body.slice(52, 88)])
        expect(all.replaceAll('\\n', '')).not.toContain(form);
    }
    expect(all).not.toContain('PRIVATE KEY');
  });
});
