/** `everleaf audit verify --file`: a proof or an export, checked with the public key alone, without any server. */
import type { KeyObject } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { z } from 'zod';
import {
  beginExport,
  checkEnd,
  checkEntry,
  checkNext,
  type ExportHeader,
  exportHeaderSchema,
  firstWrong,
  type Problem,
} from '../audit/check-proof.ts';
import { headVerifies, type SignedHead } from '../audit/head.ts';
import { environmentWord, nameWord } from '../names.ts';
import { moment, provenWords, type Verification } from './audit-answers.ts';
import { proofSchema } from './audit-prove.ts';
import { keySha256, namedKey, readPublicKey } from './audit-public-key.ts';
import { report } from './audit-verify.ts';
import { Misuse } from './failure.ts';
import { expandHome, readText } from './files.ts';
import { readLines } from './line-file.ts';
import { parseJson } from './request.ts';
import type { ServerOptions } from './settings.ts';
import { type Terminal, withProgress } from './terminal.ts';

export interface FileOptions extends Pick<ServerOptions, 'output'> {
  readonly file: string;
  readonly publicKey?: string | undefined;
  /** `name/environment`, where whoever asks knows it. */
  readonly deployment?: string | undefined;
}

interface Checker {
  readonly key: KeyObject;
  /** SHA-256 of the key (DER), hex. */
  readonly key_sha256: string;
  readonly deployment: string | undefined;
}

interface Found extends Verification {
  readonly deployment: string;
  readonly key_sha256: string;
}

interface Wrong {
  readonly problems: readonly string[];
  /** The first entry that is; null where it is the head. */
  readonly first: number | null;
  readonly remarks?: readonly string[];
}

/** Problems that are told in words; the others are counted. */
const mostProblems = 20;

/** What is wrong with who signed, in words. */
const checkHead = ({ key, key_sha256, deployment }: Checker, head: SignedHead, named: string): string[] => {
  if (!headVerifies(key, head.deployment, head)) {
    const other = named === key_sha256 ? '' : `, but by one with SHA-256 ${named}, as the file says`;
    return [`the head was not signed by the key with SHA-256 ${key_sha256}${other}`];
  }
  return deployment === undefined || deployment === head.deployment
    ? []
    : [`the head is ${head.deployment}'s, not ${deployment}'s`];
};

const found = (
  checker: Checker,
  head: SignedHead,
  counted: { readonly from: number; readonly entries: number },
  { problems, first, remarks = [] }: Wrong,
): Found => ({
  is_valid: problems.length === 0,
  total_entries: counted.entries,
  first_invalid_sequence: first,
  problems: [...problems],
  remarks: [...remarks],
  checked_from: counted.from,
  deployment: head.deployment,
  head: { size: head.size, signed_at: head.signed_at },
  key_sha256: checker.key_sha256,
});

const signature = (checker: Checker, { deployment, size, signed_at }: SignedHead): string =>
  `the ${size} that ${deployment} had at ${moment(signed_at)}, signed by the key with SHA-256 ${checker.key_sha256}`;

const verifyProof = (checker: Checker, proof: z.infer<typeof proofSchema>): [string, Found] => {
  const { head, sequence, bytes, path, entry } = proof;
  const checked = checkEntry(head, { bytes, path });
  const unsigned = checkHead(checker, head, namedKey(proof.public_key));
  const wrong = [
    ...unsigned,
    ...('wrong' in checked ? [`entry ${sequence}: ${checked.wrong}`] : []),
    ...('entry' in checked && checked.entry.sequence !== sequence
      ? [`the proof is of entry ${checked.entry.sequence}, not of ${sequence}`]
      : []),
    ...('entry' in checked && canonicalize(entry) === canonicalize(checked.entry)
      ? []
      : ['the entry shown is not the one that is proven']),
    ...(proof.key_sha256 === namedKey(proof.public_key) ? [] : ['key_sha256 is not that of public_key']),
  ];
  const what =
    'entry' in checked
      ? `${checked.entry.action} of ${checked.entry.subject} by ${checked.entry.actor}, ${moment(checked.entry.time)}`
      : '';
  const sentence = `The proof is valid: entry ${sequence} (${what}) is one of ${signature(checker, head)}.`;
  const first = wrong.length === 0 || unsigned.length > 0 ? null : sequence;
  return [sentence, found(checker, head, { from: sequence, entries: 1 }, { problems: wrong, first })];
};

const verifyExport = async (
  terminal: Terminal,
  checker: Checker,
  file: string,
  header: ExportHeader,
): Promise<[string, Found]> => {
  const { head, from_sequence } = header;
  const sentence = `The export is valid: entries ${from_sequence} to ${head.size}, whole and in order, are of ${signature(checker, head)}.`;
  const unsigned = checkHead(checker, head, namedKey(header.public_key));
  if (unsigned.length > 0) {
    const remarks = ['the entries were not checked: without the head nothing tells which were signed'];
    return [
      sentence,
      found(checker, head, { from: from_sequence, entries: 0 }, { problems: unsigned, first: null, remarks }),
    ];
  }
  let state = beginExport(header);
  let entries = 0;
  let lines = 0;
  const problems: string[] = [];
  let first: number | null = null;
  let others = 0;
  const note = (found: readonly Problem[]) => {
    for (const problem of found) {
      first = firstWrong(first, problem);
      if (problems.length < mostProblems) problems.push(problem.words);
      else others += 1;
    }
  };
  const read = async () => {
    for await (const { text, whole } of readLines(file, '--file')) {
      lines += 1;
      if (lines === 1) continue;
      if (!whole) {
        note([{ sequence: state.next, words: 'the last line is cut off' }]);
        break;
      }
      const checked = checkNext(head, state, parseJson(text));
      note(checked.problems);
      state = checked.state;
      entries += 1;
    }
  };
  await withProgress(terminal, () => `checking ${file}, ${entries} of ${head.size} entries`, read());
  const end = checkEnd(head, state);
  note(end.problems);
  if (others > 0) problems.push(`and ${others} more`);
  const remarks = problems.length === 0 ? [] : [`${provenWords(end.proven)} by the head all the same`];
  return [sentence, found(checker, head, { from: from_sequence, entries }, { problems, first, remarks })];
};

/** @throws Misuse naming an option, Refused when the file is not valid */
export const verifyFile = async (terminal: Terminal, options: FileOptions): Promise<void> => {
  const { publicKey, deployment, output } = options;
  if (options.file === '-') throw new Misuse('--file: standard input is not read; name a file');
  if (deployment !== undefined && !isDeployment(deployment))
    throw new Misuse(`--deployment: must be <name>/<environment>, such as airunner/prod, not ${deployment}`);
  const key = readPublicKey(publicKey === undefined ? undefined : expandHome(publicKey, terminal.home));
  const file = expandHome(options.file, terminal.home);
  const checker: Checker = { key, key_sha256: keySha256(key), deployment };
  const header = exportHeaderSchema.safeParse(parseJson(await firstLine(file))).data;
  if (header !== undefined) {
    const [sentence, result] = await verifyExport(terminal, checker, file, header);
    return report(terminal, output, 'the export', sentence, result);
  }
  const proof = proofSchema.safeParse(parseJson(readText(file, '--file'))).data;
  if (proof === undefined) throw new Misuse(`--file: ${file} is neither a proof nor an export of the audit`);
  const [sentence, result] = verifyProof(checker, proof);
  report(terminal, output, 'the proof', sentence, result);
};

const isDeployment = (text: string): boolean => {
  const [name = '', environment = '', ...more] = text.split('/');
  return nameWord.test(name) && environmentWord.test(environment) && more.length === 0;
};

const firstLine = async (file: string): Promise<string> => {
  for await (const { text } of readLines(file, '--file')) return text;
  return '';
};
