/** `everleaf audit export`: the chain with its proofs, line by line, to a file that a repeated command goes on with. */
import { z } from 'zod';
import { beginExport, checkEnd, checkNext, type ExportHeader, provenSchema } from '../audit/check-proof.ts';
import { type SignedHead, signedHeadSchema } from '../audit/head.ts';
import { headWords, provenWords } from './audit-answers.ts';
import { type Begun, readBegun } from './audit-export-file.ts';
import { Misuse, Refused } from './failure.ts';
import { lockFile } from './file-lock.ts';
import { expandHome } from './files.ts';
import { openGrowing } from './line-file.ts';
import { clean, json, jsonLine, lines } from './print.ts';
import { connect, type Server } from './request.ts';
import type { ServerOptions } from './settings.ts';
import { type Terminal, withProgress } from './terminal.ts';

export type ExportOptions = ServerOptions & { readonly to?: string; readonly fromSequence?: number };

const path = ['api', 'v1', 'identity', 'audit', 'export'] as const;
/** Entries asked for at once. */
const largestPage = 500;
/** Of problems, those that are told. */
const mostProblems = 5;

const pageSchema = z.object({
  head: signedHeadSchema,
  public_key: z.string(),
  lines: z.array(provenSchema),
  next_sequence: z.number().int().optional(),
});

interface Progress {
  /** The entry that was written last. */
  at: number;
  of: number | null;
}

interface Done {
  readonly header: ExportHeader;
  readonly problems: readonly string[];
  readonly proven: number;
}

interface Sink {
  readonly write: (text: string) => Promise<void>;
  readonly begun: Begun | null;
}

const sameHead = (one: SignedHead, other: SignedHead): boolean =>
  one.size === other.size && one.hash === other.hash && one.root === other.root && one.deployment === other.deployment;

/** Fetches what is missing and writes it. Answers the header, and what was wrong with entries. */
const fetchRest = async (
  server: Server,
  { write, begun }: Sink,
  from_sequence: number,
  progress: Progress,
): Promise<Done> => {
  const problems: string[] = [];
  let header = begun?.header;
  let state = begun?.state ?? beginExport({ from_sequence });
  let next: number | undefined = state.next;
  while (next !== undefined) {
    const query = {
      from_sequence: String(next),
      limit: String(largestPage),
      head_size: header && String(header.head.size),
    };
    const page: z.infer<typeof pageSchema> = await server.send(pageSchema, { method: 'GET', path, query });
    if (header === undefined) {
      header = { everleaf: 'audit export 1', from_sequence, head: page.head, public_key: page.public_key };
      await write(jsonLine(header));
    }
    const { head } = header;
    if (!sameHead(page.head, head))
      throw new Refused(`the server proves by another head of size ${head.size} now; run everleaf audit verify`);
    progress.of = head.size;
    let text = '';
    for (const line of page.lines) {
      const checked = checkNext(head, state, line);
      problems.push(...checked.problems.map(({ words }) => words));
      state = checked.state;
      text += jsonLine(line);
    }
    await write(text);
    progress.at = state.next - 1;
    if (page.next_sequence !== undefined && page.next_sequence <= next)
      throw new Refused('the server answered a page that does not go on');
    next = page.next_sequence;
  }
  if (header === undefined) throw new Refused('the server exported nothing');
  const end = checkEnd(header.head, state);
  return { header, proven: end.proven, problems: [...problems, ...end.problems.map(({ words }) => words)] };
};

/** @throws Refused when the server's entries are not those that its head covers; they are written all the same */
const finish = ({ problems, proven }: Done): void => {
  if (problems.length === 0) return;
  const told = problems.slice(0, mostProblems).join('; ');
  const others = problems.length > mostProblems ? `; and ${problems.length - mostProblems} more` : '';
  throw new Refused(
    `exported, but the chain is not as it was signed: ${told}${others}; ${provenWords(proven)}; run everleaf audit verify`,
  );
};

const fetching = (terminal: Terminal, server: Server, options: ExportOptions, sink: Sink): Promise<Done> => {
  const progress: Progress = { at: 0, of: null };
  const doing = () => `exporting${progress.of === null ? '' : `, entry ${progress.at} of ${progress.of}`}`;
  return withProgress(terminal, doing, fetchRest(server, sink, options.fromSequence ?? 1, progress));
};

/** Alone, and with a word for whoever stops it: what was written is good to go on with. */
const toFile = async (terminal: Terminal, server: Server, options: ExportOptions, name: string): Promise<void> => {
  const unlock = lockFile(name);
  const stop = () => {
    unlock();
    terminal.err(`${terminal.watched ? '\n' : ''}everleaf: stopped; repeat the command to go on with ${clean(name)}\n`);
    process.exit(130);
  };
  process.once('SIGINT', stop);
  try {
    await toLockedFile(terminal, server, options, name);
  } finally {
    process.off('SIGINT', stop);
    unlock();
  }
};

const toLockedFile = async (
  terminal: Terminal,
  server: Server,
  options: ExportOptions,
  name: string,
): Promise<void> => {
  const file = await openGrowing(name, '--to');
  try {
    const begun = await withProgress(terminal, `checking ${name}`, readBegun(file, name));
    const { fromSequence } = options;
    if (begun !== null && fromSequence !== undefined && fromSequence !== begun.header.from_sequence)
      throw new Misuse(`--from-sequence: ${name} begins with entry ${begun.header.from_sequence}; name another file`);
    if (begun !== null && begun.state.next > begun.header.head.size) {
      terminal.err(`${clean(name)} is whole; name another file for what came after it\n`);
      return tell(terminal, options, name, begun.header);
    }
    if (begun === null) await file.cut(0);
    else terminal.err(`going on with ${clean(name)} from entry ${begun.state.next}\n`);
    const done = await fetching(terminal, server, options, { write: file.append, begun });
    tell(terminal, options, name, done.header);
    finish(done);
  } finally {
    await file.close();
  }
};

const tell = (
  terminal: Terminal,
  { output }: ExportOptions,
  file: string,
  { from_sequence, head }: ExportHeader,
): void =>
  terminal.out(
    output === 'json'
      ? json({ file, from_sequence, head })
      : lines([
          ['File', file],
          ['Entries', `${from_sequence} to ${head.size}`],
          ['Head', headWords(head)],
        ]),
  );

/** @throws Misuse naming an option, Refused */
export const exportChain = async (terminal: Terminal, options: ExportOptions): Promise<void> => {
  // One progress line for all the pages, in place of one for each.
  const server = await connect({ ...terminal, watched: false }, options);
  if (options.to !== undefined && options.to !== '-')
    return toFile(terminal, server, options, expandHome(options.to, terminal.home));
  const write = async (text: string) => {
    terminal.out(text);
    await terminal.drained();
  };
  finish(await fetching(terminal, server, options, { write, begun: null }));
};
