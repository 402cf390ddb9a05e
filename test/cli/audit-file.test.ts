/** `audit verify --file`: a proof and an export, offline; each way in which one may be wrong is found and named. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SignedHead } from '../../src/audit/head.ts';
import { keySha256 } from '../../src/cli/audit-public-key.ts';
import { draft, headOver, provenIn, rowsOf } from '../audit/rows.ts';
import { openSession, type Session } from './session.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const key_sha256 = keySha256(publicKey);
const rows = rowsOf(Array.from({ length: 13 }, (_, n) => draft(n + 1, { details: { reason: 'a drill\u2028"\\' } })));

let session: Session;
let head: SignedHead;
beforeEach(async () => {
  session = openSession();
  head = await headOver(rows, privateKey);
  writeFileSync(session.file('key.pem'), pem);
});
afterEach(() => session.close());

const verify = (content: string | object, options = '') => {
  writeFileSync(session.file('file'), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  return session.everleaf(`audit verify --file ~/file --public-key ~/key.pem ${options}`);
};
const proofOf = (sequence: number) => {
  const proven = provenIn(rows, sequence);
  return { entry: JSON.parse(proven.bytes), sequence, head, public_key: pem, key_sha256, ...proven };
};
const headerOf = (values: object = {}) =>
  JSON.stringify({ everleaf: 'audit export 1', from_sequence: 1, head, public_key: pem, ...values });
const lineOf = (sequence: number) => JSON.stringify(provenIn(rows, sequence));
const sequences = (from = 1) => Array.from({ length: 14 - from }, (_, n) => from + n);
const exportOf = (lines: readonly string[], header = headerOf()) => `${[header, ...lines].join('\n')}\n`;

describe('a proof', () => {
  it('of each entry is valid, without any setting, and says what it proves and which key signed', async () => {
    for (const { sequence } of rows) expect(await verify(proofOf(sequence))).toMatchObject({ code: 0, err: '' });
    expect(await verify(proofOf(3))).toEqual({
      code: 0,
      err: '',
      out: `The proof is valid: entry 3 (principal_created of principals/worker-3 by admin-one, 2024-12-25T10:30:02Z) is one of the 13 that airunner/prod had at 2024-12-25T10:30:13Z, signed by the key with SHA-256 ${key_sha256}.\n`,
    });
    expect(JSON.parse((await verify(proofOf(3), '--output json')).out)).toMatchObject({
      is_valid: true,
      total_entries: 1,
      first_invalid_sequence: null,
      deployment: 'airunner/prod',
      key_sha256,
    });
  });
  it('may stand on one line, and its key as AWS prints it', async () => {
    expect(await verify(JSON.stringify(proofOf(1)))).toMatchObject({ code: 0 });
    writeFileSync(session.file('key.txt'), `${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}\n`);
    expect(await verify(proofOf(1), '--public-key ~/key.txt')).toMatchObject({ code: 0 });
  });
  it('of the only entry there is has an empty path', async () => {
    const one = rows.slice(0, 1);
    const proven = { ...proofOf(1), ...provenIn(one, 1), head: await headOver(one, privateKey) };
    expect(proven.path).toEqual([]);
    expect(await verify(proven)).toMatchObject({ code: 0 });
  });

  const wrong: [string, () => object | Promise<object>, RegExp][] = [
    [
      'an edited entry',
      () => ({ ...proofOf(3), bytes: proofOf(3).bytes.replace('admin-one', 'admin-two') }),
      /not what was signed as entry 3/,
    ],
    [
      'another entry shown',
      () => ({ ...proofOf(3), entry: { ...proofOf(3).entry, actor: 'x' } }),
      /entry shown is not the one/,
    ],
    [
      'a field more shown',
      () => ({ ...proofOf(3), entry: { ...proofOf(3).entry, x: 1 } }),
      /entry shown is not the one/,
    ],
    ['another sequence', () => ({ ...proofOf(3), sequence: 4 }), /is of entry 3, not of 4/],
    ['another entry’s path', () => ({ ...proofOf(3), path: proofOf(4).path }), /not what was signed as entry 3/],
    ['a path cut short', () => ({ ...proofOf(3), path: proofOf(3).path.slice(1) }), /not what was signed as entry 3/],
    ['no path', () => ({ ...proofOf(3), path: [] }), /has no proof/],
    ['bytes that are no entry', () => ({ ...proofOf(3), bytes: '{}' }), /cannot be read/],
    [
      'a head with another root',
      () => ({ ...proofOf(3), head: { ...head, root: 'a'.repeat(64) } }),
      /not signed by the key/,
    ],
    [
      'a head with another hash',
      () => ({ ...proofOf(3), head: { ...head, hash: 'a'.repeat(64) } }),
      /not signed by the key/,
    ],
    ['a head with another time', () => ({ ...proofOf(3), head: { ...head, signed_at: 1 } }), /not signed by the key/],
    [
      'a head of another deployment',
      () => ({ ...proofOf(3), head: { ...head, deployment: 'a/b' } }),
      /not signed by the key/,
    ],
    [
      'another key’s SHA-256',
      () => ({ ...proofOf(3), key_sha256: 'a'.repeat(64) }),
      /key_sha256 is not that of public_key/,
    ],
    [
      'a chain and a key of somebody else’s',
      async () => ({
        ...proofOf(3),
        head: await headOver(rows, other.privateKey),
        public_key: other.publicKey.export({ type: 'spki', format: 'pem' }),
        key_sha256: keySha256(other.publicKey),
      }),
      new RegExp(
        `not signed by the key with SHA-256 ${key_sha256}, but by one with SHA-256 ${keySha256(other.publicKey)}`,
      ),
    ],
  ];
  it.each(wrong)('with %s is not valid', async (_what, make, said) => {
    const { code, out, err } = await verify(await make());
    expect([code, err]).toEqual([1, expect.stringMatching(/^everleaf: the proof is not valid/)]);
    expect(out).toMatch(said);
  });
  it('is of the deployment that is named, or not valid', async () => {
    expect(await verify(proofOf(1), '--deployment airunner/prod')).toMatchObject({ code: 0 });
    const { code, out } = await verify(proofOf(1), '--deployment airunner/dev');
    expect([code, out]).toEqual([1, expect.stringContaining("the head is airunner/prod's, not airunner/dev's")]);
  });
});

describe('an export', () => {
  it('is valid as a whole, or from an entry on, and says which entries it holds', async () => {
    expect(await verify(exportOf(sequences().map(lineOf)))).toEqual({
      code: 0,
      err: '',
      out: `The export is valid: entries 1 to 13, whole and in order, are of the 13 that airunner/prod had at 2024-12-25T10:30:13Z, signed by the key with SHA-256 ${key_sha256}.\n`,
    });
    const late = exportOf(sequences(6).map(lineOf), headerOf({ from_sequence: 6 }));
    expect(JSON.parse((await verify(late, '--output json')).out)).toMatchObject({
      is_valid: true,
      total_entries: 8,
      checked_from: 6,
      head: { size: 13 },
    });
  });

  const invalid = async (content: string) => {
    const { code, out } = await verify(content, '--output json');
    expect(code).toBe(1);
    const { is_valid, first_invalid_sequence, problems } = JSON.parse(out);
    expect(is_valid).toBe(false);
    return [first_invalid_sequence, problems[0]];
  };
  it('finds every single edited, missing, doubled or swapped line by its sequence', async () => {
    const lines = sequences().map(lineOf);
    for (const n of sequences()) {
      const edited = lines.with(n - 1, (lines[n - 1] ?? '').replace('a drill', 'a brawl'));
      expect(await invalid(exportOf(edited)), `edited ${n}`).toEqual([n, expect.stringMatching(`^entry ${n}: `)]);
      expect(await invalid(exportOf(lines.toSpliced(n - 1, 1))), `missing ${n}`).toEqual([n, `entry ${n} is missing`]);
      expect(await invalid(exportOf(lines.toSpliced(n, 0, lines[n - 1] ?? ''))), `doubled ${n}`).toEqual([
        n,
        `entry ${n} stands where entry ${n + 1} belongs`,
      ]);
      if (n === 13) continue;
      const swapped = lines.with(n - 1, lines[n] ?? '').with(n, lines[n - 1] ?? '');
      expect((await invalid(exportOf(swapped)))[0], `swapped ${n}`).toBe(n);
    }
  });
  it('names lines by the entries that they say they are, also behind ones that are left out', async () => {
    const lines = sequences().map(lineOf);
    const edited = lines.with(7, (lines[7] ?? '').replace('a drill', 'a brawl')).toSpliced(2, 2);
    const { out, err } = await verify(exportOf(edited));
    expect(out.split('\n')).toEqual([
      'First invalid sequence: 3',
      'Problem: entries 3 to 4 are missing',
      'Problem: entry 8: it is not what was signed as entry 8',
      'Remark: 10 entries are proven by the head all the same',
      '',
    ]);
    expect(err).toBe('everleaf: the export is not valid: the first invalid sequence is 3\n');
    const next = lines.toSpliced(2, 2).with(2, (lines[4] ?? '').replace('a drill', 'a brawl'));
    expect((await verify(exportOf(next))).out).toContain('Problem: entry 5: it is not what was signed as entry 5\n');
    const far = lines.with(4, (lines[4] ?? '').replace('sequence\\":5', 'sequence\\":5000'));
    expect(await invalid(exportOf(far))).toEqual([5, 'entry 5: it is not what was signed as entry 5000']);
  });
  describe('with entries that have no proof of their own', () => {
    const without = (...some: number[]) =>
      sequences().map((n) => JSON.stringify({ ...provenIn(rows, n), ...(some.includes(n) ? { path: [] } : {}) }));
    it('is valid where a proven one, or the head, follows from them', async () => {
      for (const some of [[1], [4, 5, 6], [13], sequences()])
        expect(await verify(exportOf(without(...some))), `${some}`).toMatchObject({ code: 0 });
    });
    it('is not valid where nothing does, and first wrong is what is missing', async () => {
      const lines = without(3, 4, 6);
      expect(JSON.parse((await verify(exportOf(lines.toSpliced(4, 1)), '--output json')).out)).toMatchObject({
        first_invalid_sequence: 5,
        problems: ['entries 3 to 4 cannot be proven: what proved them is missing or damaged', 'entry 5 is missing'],
        remarks: ['10 entries are proven by the head all the same'],
      });
    });
    it('finds each that was edited', async () => {
      for (const n of [3, 4, 5, 12, 13]) {
        const lines = without(3, 4, 5, 12, 13);
        const edited = lines.with(n - 1, (lines[n - 1] ?? '').replace('a drill', 'a brawl'));
        const { code, out } = await verify(exportOf(edited), '--output json');
        expect([code, JSON.parse(out).first_invalid_sequence], `${n}`).toEqual([1, n]);
      }
    });
    it('takes nothing behind the end for one', async () => {
      const beyond = JSON.stringify({ ...provenIn(rows, 13), path: [] }).replace('sequence\\":13', 'sequence\\":14');
      expect(await invalid(exportOf([...without(), beyond]))).toEqual([
        14,
        'entry 14: it is not what was signed as entry 14',
      ]);
    });
  });
  it('cut off is not valid, wherever it was cut', async () => {
    const lines = sequences().map(lineOf);
    expect(await invalid(exportOf(lines.slice(0, 11)))).toEqual([12, 'entries 12 to 13 are missing']);
    expect(await invalid(exportOf([]))).toEqual([1, 'entries 1 to 13 are missing']);
    expect(await invalid(exportOf(lines).slice(0, -1))).toEqual([13, 'the last line is cut off']);
    expect(await invalid(exportOf(lines).slice(0, -40))).toEqual([13, 'the last line is cut off']);
  });
  it('with something behind its end is not valid', async () => {
    const whole = exportOf(sequences().map(lineOf));
    expect(await invalid(`${whole}{}\n`)).toEqual([14, 'entry 14: it cannot be read']);
    expect(await invalid(`${whole}{}`)).toEqual([14, 'the last line is cut off']);
  });
  it('whose head names another last entry is not valid', async () => {
    const header = headerOf({ head: await headOver(rows, privateKey, { hash: 'a'.repeat(64) }) });
    const lines = sequences().map(lineOf);
    expect(await invalid(exportOf(lines, header))).toEqual([13, expect.stringContaining('the head names as the last')]);
  });
  it('with a header that hides its first entries is not valid, or says where it begins', async () => {
    const late = sequences(4).map(lineOf);
    expect(await invalid(exportOf(late))).toEqual([1, 'entries 1 to 3 are missing']);
    expect((await verify(exportOf(late, headerOf({ from_sequence: 4 })))).out).toContain('entries 4 to 13,');
  });
  it('of entries that are not linked is not valid, though the head covers them', async () => {
    const unlinked = rows.with(4, rowsOf([...Array(4).fill(draft(1)), draft(5)])[4] ?? expect.fail());
    const lines = sequences().map((n) => JSON.stringify(provenIn(unlinked, n)));
    const header = headerOf({ head: await headOver(unlinked, privateKey) });
    expect(await invalid(exportOf(lines, header))).toEqual([5, 'entry 5 does not follow entry 4']);
  });
  it('that begins behind its end is none', async () => {
    expect((await verify(exportOf([lineOf(13)], headerOf({ from_sequence: 13 })))).code).toBe(0);
    const { code, err } = await verify(exportOf([], headerOf({ from_sequence: 14 })));
    expect([code, err]).toEqual([2, expect.stringContaining('is neither a proof nor an export')]);
  });
  it('tells the first twenty problems and counts the others', async () => {
    const { out } = await verify(exportOf(Array(40).fill('{}')));
    expect(out.split('\n')).toHaveLength(1 + 20 + 1 + 1 + 1);
    expect(out).toContain('Problem: and 20 more\n');
  });
  it('signed by another key, or of another deployment, accuses no entry', async () => {
    const lines = sequences().map(lineOf);
    const header = headerOf({ head: await headOver(rows, other.privateKey) });
    expect(await invalid(exportOf(lines, header))).toEqual([null, expect.stringMatching(/not signed by/)]);
    expect((await verify(exportOf(lines, header))).err).toMatch(
      /^everleaf: the export is not valid: the head was not signed by the key with SHA-256 /,
    );
    expect((await verify(proofOf(3), '--deployment airunner/dev')).err).toBe(
      "everleaf: the proof is not valid: the head is airunner/prod's, not airunner/dev's\n",
    );
    const { out } = await verify(exportOf(lines), '--deployment airunner/dev --output json');
    expect(JSON.parse(out)).toMatchObject({ is_valid: false, first_invalid_sequence: null, total_entries: 0 });
  });
});

describe('used wrongly', () => {
  it.each(['airunner', 'airunner/prod/x', 'airunner-prod', 'Airunner/prod', '/prod', 'airunner/'])(
    '--deployment %s is refused, saying how one is named',
    async (deployment) => {
      const { code, out, err } = await verify(proofOf(1), `--deployment ${deployment}`);
      expect([code, out, err]).toEqual([2, '', expect.stringMatching(/^everleaf: --deployment: must be <name>\/<env/)]);
    },
  );
  it('--file - says that it wants a file', async () => {
    expect(await session.everleaf('audit verify --file - --public-key ~/key.pem')).toEqual({
      code: 2,
      out: '',
      err: 'everleaf: --file: standard input is not read; name a file\n',
    });
  });
  it('without --public-key, says how to get it', async () => {
    expect(await session.everleaf('audit verify --file ~/file')).toEqual({
      code: 2,
      out: '',
      err: expect.stringMatching(/^everleaf: --public-key is missing: .*aws kms get-public-key --key-id .*\n$/),
    });
  });
  it.each([
    ['no such file', '~/nothing', '~/key.pem', '--file'],
    ['a folder', '~', '~/key.pem', '--file'],
    ['a file that is neither', '~/key.pem', '~/key.pem', '--file'],
    ['an empty file', '~/empty', '~/key.pem', '--file'],
    ['a key that is not there', '~/proof', '~/nothing', '--public-key'],
    ['a key that is none', '~/proof', '~/proof', '--public-key'],
    ['a key that is empty', '~/proof', '~/empty', '--public-key'],
    ['a key on another curve', '~/proof', '~/p384', '--public-key'],
  ])('%s is named', async (_what, file, key, named) => {
    writeFileSync(session.file('empty'), '');
    writeFileSync(session.file('proof'), JSON.stringify(proofOf(1)));
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
    writeFileSync(session.file('p384'), p384.export({ type: 'spki', format: 'pem' }));
    const { code, out, err } = await session.everleaf(`audit verify --file ${file} --public-key ${key}`);
    expect([code, out, err]).toEqual([2, '', expect.stringMatching(new RegExp(`^everleaf: ${named}: `))]);
  });
});
