/** `renewal` as typed, against a real TLS server: what it sends is what the routes take, what it prints says how it goes. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Connected, openConnected } from './connected.ts';

let c: Connected;
beforeEach(async () => {
  c = await openConnected();
});
afterEach(() => c.close());

const at = Date.parse('2024-12-25T10:30:00Z');
const base = '/api/v1/identity/renewals';
const job_id = '0193aa'.padEnd(32, '0');
const asked = () => c.server.asked.map(({ method, url, body }) => [method, url, body === '' ? null : JSON.parse(body)]);
const moment = (status: string, seconds: number, reason?: string) => ({
  status,
  at: at + seconds * 1_000,
  ...(reason === undefined ? {} : { reason }),
});
const renewal = {
  job_id,
  endpoint_id: 'web-1',
  policy_id: '47-day',
  status: 'CSR_REQUESTED',
  live: true,
  attempt: 1,
  requested_by: 'admin-bootstrap',
  history: [moment('PENDING', 0), moment('CSR_REQUESTED', 1)],
  waiting_for: { agent_id: 'agent-web-01', kind: 'make_csr', until: at + 3_600_000 },
};

it('run names the endpoints, and prints what was begun', async () => {
  c.server.answer = () => ({ status: 202, body: { jobs: [{ job_id, endpoint_id: 'web-1', status: 'PENDING' }] } });
  const { code, out, err } = await c.everleaf('renewal run web-1 web-2 --policy 47-day');
  expect([code, err]).toEqual([0, '']);
  expect(out).toBe(`RENEWAL                           ENDPOINT  STATUS\n${job_id}  web-1     PENDING\n`);
  expect(asked()).toEqual([['POST', `${base}/run`, { endpoint_ids: ['web-1', 'web-2'], policy_id: '47-day' }]]);
});
it('run asks in parts where there are many', async () => {
  c.server.answer = ({ body }) => ({
    body: {
      jobs: JSON.parse(body).endpoint_ids.map((endpoint_id: string) => ({ job_id, endpoint_id, status: 'PENDING' })),
    },
  });
  const ids = Array.from({ length: 101 }, (_, n) => `e-${n}`);
  const { out } = await c.everleaf(`renewal run ${ids.join(' ')} --output json`);
  expect(JSON.parse(out).jobs).toHaveLength(101);
  expect(asked().map(([, , body]) => body.endpoint_ids.length)).toEqual([100, 1]);
});
it('run says why it was refused', async () => {
  c.server.answer = () => ({ status: 404, body: { detail: 'there is no endpoint web-9', field: 'endpoint_ids' } });
  expect(await c.everleaf('renewal run web-9')).toEqual({
    code: 1,
    out: '',
    err: 'everleaf: there is no endpoint web-9\n',
  });
});
it('get prints how far it is, whom it waits for, and how it came there', async () => {
  c.server.answer = () => ({ body: renewal });
  const { out } = await c.everleaf(`renewal get ${job_id}`);
  expect(out).toBe(
    [
      `Renewal: ${job_id}`,
      'Endpoint: web-1',
      'Policy: 47-day',
      'Status: CSR_REQUESTED',
      'Try: 1',
      'Waiting For: agent-web-01, to make_csr, until 2024-12-25T11:30:00Z',
      'Requested By: admin-bootstrap',
      'History: 2024-12-25T10:30:00Z PENDING',
      'History: 2024-12-25T10:30:01Z CSR_REQUESTED',
      '',
    ].join('\n'),
  );
  expect(asked()).toEqual([['GET', `${base}/${job_id}`, null]]);
});
it('list filters by state, however it is written, and by endpoint', async () => {
  c.server.answer = () => ({
    body: {
      jobs: [
        { ...renewal, status: 'FAILED', reason: 'the disk is full' },
        { job_id: '0a', invalid: ['names'] },
      ],
    },
  });
  const { out } = await c.everleaf('renewal list --status failed --endpoint web-1 --limit 5');
  expect(asked()).toEqual([['GET', `${base}?status=FAILED&endpoint_id=web-1&limit=5`, null]]);
  expect(out).toMatch(/^RENEWAL +ENDPOINT +STATUS +TRY +SINCE +REASON\n/);
  expect(out).toContain('web-1     FAILED          1    2024-12-25T10:30:01Z  the disk is full\n');
  expect(out).toContain('invalid: names');
  c.server.answer = () => ({ body: { jobs: [] } });
  expect(await c.everleaf('renewal list')).toEqual({ code: 0, out: '', err: 'No renewals.\n' });
});
it('rollback sends the reason, and prints what became of it', async () => {
  c.server.answer = () => ({ body: { ...renewal, live: false, status: 'ROLLED_BACK', reason: 'wrong policy' } });
  const { code, out } = await c.everleaf(`renewal rollback ${job_id} --reason "wrong policy"`);
  expect(code).toBe(0);
  expect(out).toContain('Status: ROLLED_BACK\nReason: wrong policy\n');
  expect(asked()).toEqual([['POST', `${base}/${job_id}/rollback`, { reason: 'wrong policy' }]]);
});
it.each([
  ['renewal run Web-1', /endpoint-id: "Web-1"/],
  ['renewal run', /missing required argument/],
  ['renewal run web-1 --policy Web', /--policy: "Web"/],
  ['renewal get x', /job-id: "x"/],
  ['renewal watch x', /job-id: "x"/],
  ['renewal list --status done', /must be one of PENDING/],
  [`renewal rollback ${job_id}`, /--reason/],
])('%s is used wrongly, and asks nothing', async (line, message) => {
  expect(await c.everleaf(line)).toMatchObject({ code: 2, err: expect.stringMatching(message) });
  expect(asked()).toEqual([]);
});

/** What the server says, one answer after the other; the last one stays. */
const saying = (...answers: object[]) => {
  let n = 0;
  c.server.answer = () => ({ body: answers[Math.min(n++, answers.length - 1)] });
};

it('watch prints each state once, as it comes, and ends with the renewal', async () => {
  const done = [...renewal.history, moment('CSR_RECEIVED', 2), moment('SUCCEEDED', 3)];
  saying(renewal, { ...renewal, status: 'SUCCEEDED', live: false, history: done });
  const { code, out } = await c.everleaf(`renewal watch ${job_id}`);
  expect(code).toBe(0);
  expect(out).toBe(
    [
      '2024-12-25T10:30:00Z PENDING',
      '2024-12-25T10:30:01Z CSR_REQUESTED',
      '2024-12-25T10:30:02Z CSR_RECEIVED',
      '2024-12-25T10:30:03Z SUCCEEDED',
      '',
    ].join('\n'),
  );
});
it('watch ends with 1 when it did not succeed, after it was rolled back', async () => {
  const failed = [...renewal.history, moment('FAILED', 2, 'reload failed')];
  const rolled = [...failed, moment('ROLLED_BACK', 3, 'reload failed')];
  saying(
    { ...renewal, status: 'FAILED', live: false, reason: 'reload failed', history: failed },
    { ...renewal, status: 'ROLLED_BACK', live: false, reason: 'reload failed', history: rolled },
  );
  const { code, out, err } = await c.everleaf(`renewal watch ${job_id}`);
  expect([code, err]).toEqual([1, `everleaf: ${job_id} is ROLLED_BACK: reload failed\n`]);
  expect(out).toMatch(/FAILED: reload failed\n.*ROLLED_BACK: reload failed\n$/);
});
it('run --watch follows what it began, each by its endpoint’s name; as JSON it prints the ends', async () => {
  c.server.answer = ({ method, url }) => {
    const jobs = ['web-1', 'web-2'].map((endpoint_id, n) => ({
      job_id: `${n}`.padStart(32, '1'),
      endpoint_id,
      status: 'PENDING',
    }));
    if (method === 'POST') return { body: { jobs } };
    const found = jobs.find((one) => url.endsWith(one.job_id));
    return { body: { ...renewal, ...found, status: 'SUCCEEDED', live: false, history: [moment('SUCCEEDED', 3)] } };
  };
  const { out } = await c.everleaf('renewal run web-1 web-2 --watch');
  expect(out).toBe('web-1 2024-12-25T10:30:03Z SUCCEEDED\nweb-2 2024-12-25T10:30:03Z SUCCEEDED\n');
  const json = await c.everleaf('renewal run web-1 web-2 --watch --output json');
  expect(JSON.parse(json.out).jobs).toMatchObject([{ endpoint_id: 'web-1' }, { endpoint_id: 'web-2' }]);
});
it('prints nothing that could move a terminal’s cursor', async () => {
  const reason = '\u001b[2Jgone';
  saying({ ...renewal, status: 'SUCCEEDED', live: false, reason, history: [moment('SUCCEEDED', 0, reason)] });
  for (const line of [`renewal get ${job_id}`, `renewal watch ${job_id}`])
    expect((await c.everleaf(line)).out).not.toContain('\u001b');
});
