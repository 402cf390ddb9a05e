/** Lists of renewals: by state, by endpoint, all; page by page, the newest first; and one by itself. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Job } from '../../src/renewal/job.ts';
import { jobIdSchema, viewJob } from '../../src/renewal/job.ts';
import { type JobsQuery, listJobs } from '../../src/renewal/list-jobs.ts';
import type { Status } from '../../src/renewal/status.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, type TestDeployment } from './deployment.ts';

describeWithEmulator('the list of renewals', (emulator) => {
  let d: TestDeployment;
  /** The newest first. */
  const made: { readonly job_id: string; readonly status: Status; readonly endpoint_id: string }[] = [];

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    await d.makeFleet('web');
    const states: Status[] = ['SUCCEEDED', 'FAILED', 'PENDING', 'SUCCEEDED', 'ROLLED_BACK', 'SUCCEEDED', 'PENDING'];
    for (const [index, status] of states.entries()) {
      const endpoint_id = `web-${index % 2}`;
      await d.endpoint(endpoint_id, 443);
      const job_id = await d.run(endpoint_id);
      d.machine.kill();
      await d.edit(job_id, { status });
      await d.endpoints.edit(endpoint_id, { live_job: 'none' });
      made.unshift({ job_id, status, endpoint_id });
      d.pass(2);
    }
  });
  afterAll(() => d.close());

  const all = async (query: Omit<JobsQuery, 'limit' | 'after'>, limit: number): Promise<string[]> => {
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await listJobs(d.world, { ...query, limit, after });
      expect(page.jobs.length).toBeLessThanOrEqual(limit);
      found.push(...page.jobs.map(({ job_id }) => job_id));
      after = page.next;
    } while (after !== undefined);
    return found;
  };
  const ids = (fits: (one: (typeof made)[number]) => boolean) => made.filter(fits).map(({ job_id }) => job_id);

  it.each([1, 2, 3, 100])('has all of them, %i a page', async (limit) => {
    expect(await all({}, limit)).toEqual(ids(() => true));
  });
  it.each([1, 2, 100])('has those in one state, %i a page', async (limit) => {
    expect(await all({ status: 'SUCCEEDED' }, limit)).toEqual(ids(({ status }) => status === 'SUCCEEDED'));
    expect(await all({ status: 'ISSUING' }, limit)).toEqual([]);
  });
  it.each([1, 2, 100])('has those of one endpoint, and of these those in one state, %i a page', async (limit) => {
    expect(await all({ endpoint_id: 'web-1' }, limit)).toEqual(ids(({ endpoint_id }) => endpoint_id === 'web-1'));
    expect(await all({ endpoint_id: 'web-1', status: 'PENDING' }, limit)).toEqual(
      ids(({ endpoint_id, status }) => endpoint_id === 'web-1' && status === 'PENDING'),
    );
  });

  it('shows a row that somebody edited to nonsense as what it is, and does not crash on it', async () => {
    const { job_id = '' } = made[0] ?? {};
    await d.edit(job_id, { attempt: 'first' });
    expect((await listJobs(d.world, { limit: 1 })).jobs).toEqual([{ job_id, invalid: ['attempt'] }]);
    await expect(d.job(job_id)).rejects.toMatchObject({
      name: 'Conflict',
      message: expect.stringContaining('attempt'),
    });
  });

  it('shows nothing that only the state machine needs', async () => {
    const shown = viewJob(await d.job(made[3]?.job_id ?? ''));
    for (const secret of ['csr', 'pem', 'task_token', 'execution', 'answers', 'row', 'policy'] satisfies (keyof Job)[])
      expect(shown).not.toHaveProperty(secret);
    expect(shown).toMatchObject({ job_id: made[3]?.job_id, endpoint_id: 'web-1', policy_id: '47-day', attempt: 1 });
  });

  it.each(['', 'x', '0f', 'policy#web', '0F'.repeat(16), '0f'.repeat(17)])('%j is no id of one', (id) => {
    expect(jobIdSchema.safeParse(id).success).toBe(false);
  });
});
