/** `audit list`: what is not there is said, and nothing that was mistyped looks as if it never had happened. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Connected, openConnected } from './connected.ts';

let c: Connected;
beforeEach(async () => {
  c = await openConnected();
});
afterEach(() => c.close());

const at = Date.parse('2024-12-25T10:30:00Z');
const entry = (sequence: number) => ({ sequence, time: at, action: 'principal_created', actor: 'a', subject: 's/1' });
const answers = (...sequences: number[]) => {
  c.server.answer = () => ({ body: { entries: sequences.map(entry) } });
};
const missingIn = async (line: string) => JSON.parse((await c.everleaf(`${line} --output json`)).out).missing;

describe('an entry that is missing', () => {
  it('is named, and everything that is there is listed', async () => {
    answers(12, 11, 9, 5, 4, 3, 2, 1);
    const { code, out, err } = await c.everleaf('audit list');
    expect([code, out.split('\n')]).toEqual([0, expect.objectContaining({ length: 1 + 8 + 1 })]);
    expect(err).toBe('10 is missing: run everleaf audit verify\n6 to 8 are missing: run everleaf audit verify\n');
    expect(await missingIn('audit list')).toEqual([
      { from: 10, to: 10 },
      { from: 6, to: 8 },
    ]);
  });
  it('is the first one too, where the list goes to the beginning', async () => {
    answers(4, 3);
    expect((await c.everleaf('audit list')).err).toBe('1 to 2 are missing: run everleaf audit verify\n');
    for (const line of ['audit list --limit 2', 'audit list --since 1h']) expect((await c.everleaf(line)).err).toBe('');
  });
  it('stands between pages as well, and not beside rows that are no entries', async () => {
    c.server.answer = ({ url }) => ({
      body: url.includes('next_token')
        ? { entries: [entry(3), { sequence: 2.5, damaged: 'x' }, entry(2), entry(1), { sequence: -4, damaged: 'x' }] }
        : { entries: [entry(5)], next_token: 't' },
    });
    expect(await missingIn('audit list')).toEqual([{ from: 4, to: 4 }]);
  });
  it.each(['--action principal_created', '--actor a', '--subject s/1'])('is not guessed at with %s', async (filter) => {
    answers(12, 9);
    expect(await c.everleaf(`audit list --since 1h ${filter}`)).toMatchObject({ code: 0, err: '' });
    expect(await missingIn(`audit list ${filter}`)).toBeUndefined();
  });
});

describe('where nothing is listed', () => {
  const empty = (head: object | null) => {
    c.server.answer = ({ url }) =>
      url.includes('/verify')
        ? { body: { is_valid: false, total_entries: 0, first_invalid_sequence: 1, head } }
        : { body: { entries: [] } };
  };
  it('says that everything is missing which a head was signed over', async () => {
    empty({ size: 16, signed_at: at });
    expect(await c.everleaf('audit list')).toEqual({
      code: 0,
      out: '',
      err: 'No entries.\n1 to 16 are missing: run everleaf audit verify\n',
    });
    expect(await missingIn('audit list')).toEqual([{ from: 1, to: 16 }]);
  });
  it('says nothing more where there is no head, or nobody who tells', async () => {
    empty(null);
    expect((await c.everleaf('audit list')).err).toBe('No entries.\n');
    c.server.answer = ({ url }) =>
      url.includes('/verify') ? { status: 403, body: { detail: 'no' } } : { body: { entries: [] } };
    expect(await c.everleaf('audit list')).toMatchObject({ code: 0, err: 'No entries.\n' });
  });
  it.each([
    ['--since 24h', 'No entries since 24h.'],
    ['--action out_of_band --since 7d', 'No entries of action out_of_band since 7d.'],
    ['--action principal_suspended', 'No entries of action principal_suspended.'],
    ['--action out_of_bounds', 'No entries of action out_of_bounds.'],
    ['--action outofbands', 'No entries of action outofbands. Did you mean out_of_band?'],
    ['--action stamp_forget --actor w', 'No entries of action stamp_forget by w. Did you mean stamp_forged?'],
    ['--actor \u001b[2K --subject principals/w', 'No entries by \ufffd[2K on principals/w.'],
  ])('%s: repeats what was asked for: %s', async (filter, words) => {
    empty({ size: 16, signed_at: at });
    expect(await c.everleaf(`audit list ${filter}`)).toEqual({ code: 0, out: '', err: `${words}\n` });
  });
});

it.each([
  ['--action out-of-band', 'such as out_of_band'],
  ['--action OUT_OF_BAND', 'such as out_of_band'],
  ['--action "out of band"', 'such as out_of_band'],
  ['--subject worker-1', 'such as principals/worker-1'],
])('%s, which no entry can have, is refused without asking the server', async (option, words) => {
  const { code, out, err } = await c.everleaf(`audit list ${option}`);
  expect([code, out, err]).toEqual([2, '', expect.stringContaining(words)]);
  expect(c.server.asked).toEqual([]);
});
it.each(['arn:aws:s3:::airunner-dev-heads', 'certificates/*', 'audit'])(
  '--subject %s is asked for',
  async (subject) => {
    answers();
    expect((await c.everleaf(`audit list --subject ${subject}`)).err).toBe(`No entries on ${subject}.\n`);
  },
);
