/** What anybody can check without a server: that entries are those that a signed head covers. Pure. */
import { z } from 'zod';
import { type Entry, entryHash, readEntry } from './entry.ts';
import { type SignedHead, signedHeadSchema } from './head.ts';
import { rootFromPath } from './tree.ts';

/** One entry with its proof: the bytes that were hashed, and the audit path of RFC 9162 (section 2.1.3), hex. */
export const provenSchema = z.strictObject({ bytes: z.string(), path: z.array(z.string()) });
export type Proven = z.infer<typeof provenSchema>;

/** The first line of an export; each other line is one entry with its proof against this head. */
export const exportHeaderSchema = z
  .strictObject({
    everleaf: z.literal('audit export 1'),
    from_sequence: z.number().int().min(1),
    head: signedHeadSchema,
    /** PEM; who checks the export takes it from elsewhere. */
    public_key: z.string(),
  })
  // One that begins behind its end would be whole without a single entry.
  .refine(({ from_sequence, head }) => from_sequence <= head.size);
export type ExportHeader = z.infer<typeof exportHeaderSchema>;

/** What was wrong, and with which entry as far as that is known. */
export interface Problem {
  readonly sequence: number;
  readonly words: string;
  /** Nothing says that it is wrong, nor that it is right. */
  readonly unproven?: true;
}

/** The first entry that is wrong or missing; null where nothing is. Before it may stand some that nothing proves. */
export const firstWrong = (first: number | null, { sequence, unproven }: Problem): number | null =>
  unproven ? first : Math.min(first ?? sequence, sequence);

/** The entry, when the head covers it; else what is wrong. */
export const checkEntry = (
  head: SignedHead,
  { bytes, path }: Proven,
): { readonly entry: Entry } | { readonly wrong: string } => {
  const entry = readEntry(bytes);
  if (entry === null) return { wrong: 'it cannot be read' };
  if (path.length === 0 && head.size > 1) return { wrong: 'it has no proof' };
  const root = rootFromPath(entryHash(bytes), entry.sequence, head.size, path);
  return root === head.root ? { entry } : { wrong: `it is not what was signed as entry ${entry.sequence}` };
};

/** How far an export has been checked. */
export interface Exported {
  /** The sequence that comes next. */
  readonly next: number;
  /** The hash of the entry before; null before the first one, and behind what is no entry. */
  readonly previous: string | null;
  /** The first of the entries before that have no proof of their own: a proven one that follows from them proves them. */
  readonly waiting: number | null;
  /** How many entries are proven. */
  readonly proven: number;
}

export const beginExport = ({ from_sequence }: Pick<ExportHeader, 'from_sequence'>): Exported => ({
  next: from_sequence,
  previous: null,
  waiting: null,
  proven: 0,
});

interface Checked {
  readonly state: Exported;
  readonly problems: readonly Problem[];
}

/**
 * Checks what comes next in an export: it is covered, it follows the entry before, and none was left out. A line stands
 * for the entry that it says it is; what is no entry stands for the one that comes next.
 */
export const checkNext = (head: SignedHead, before: Exported, line: unknown): Checked => {
  const proven = provenSchema.safeParse(line).data;
  const entry = proven === undefined ? null : readEntry(proven.bytes);
  if (proven === undefined || entry === null) return fail(before, 'it cannot be read');
  const { sequence } = entry;
  const hasPath = proven.path.length > 0 || head.size === 1;
  const checked = hasPath ? checkEntry(head, proven) : null;
  const isWrong = checked !== null && 'wrong' in checked;
  if (sequence < before.next && !isWrong) {
    const words = `entry ${sequence} stands where entry ${before.next} belongs`;
    return { state: before, problems: [{ sequence, words }] };
  }
  const { state, problems } = sequence > before.next && sequence <= head.size ? skip(before, sequence) : begun(before);
  if (isWrong || sequence !== state.next || sequence > head.size) {
    const failed = fail(state, isWrong ? checked.wrong : `it is not what was signed as entry ${sequence}`);
    return { ...failed, problems: [...problems, ...failed.problems] };
  }
  const followed = follow(state, entry, hasPath);
  const previous = entryHash(proven.bytes);
  return {
    state: { ...followed.state, next: sequence + 1, previous },
    problems: [...problems, ...followed.problems],
  };
};

const begun = (state: Exported): Checked => ({ state, problems: [] });

/** Entries are left out before this one. */
const skip = (before: Exported, sequence: number): Checked => {
  const { state, problems } = giveUp(before);
  const { next } = before;
  return {
    state: { ...state, next: sequence, previous: null },
    problems: [...problems, { sequence: next, words: missing(next, sequence - 1) }],
  };
};

/** The line that comes next is none of an entry that was signed. */
const fail = (before: Exported, wrong: string): Checked => {
  const { state, problems } = giveUp(before);
  const { next } = before;
  return {
    state: { ...state, next: next + 1, previous: null },
    problems: [...problems, { sequence: next, words: `entry ${next}: ${wrong}` }],
  };
};

/** Nothing proves those that wait: what would have is missing or is not what was signed. */
const giveUp = (state: Exported): Checked => {
  const { waiting, next } = state;
  if (waiting === null) return begun(state);
  return { state: { ...state, waiting: null }, problems: unproven(waiting, next - 1) };
};

/** What stands in its place: by its own proof, or waiting for one that follows from it. */
const follow = (before: Exported, { sequence, previous: link }: Entry, hasPath: boolean): Checked => {
  const { previous, waiting } = before;
  const state = hasPath
    ? { ...before, waiting: null, proven: before.proven + 1 }
    : { ...before, waiting: waiting ?? sequence };
  if (previous === null) return begun(state);
  if (link === previous)
    return begun(hasPath && waiting !== null ? { ...state, proven: state.proven + sequence - waiting } : state);
  if (waiting === null) {
    const words = `entry ${sequence} does not follow entry ${sequence - 1}`;
    return { state: hasPath ? state : { ...state, waiting: null }, problems: [{ sequence, words }] };
  }
  const last = sequence - 1;
  const words = `entry ${last} is not the one that entry ${sequence} follows from`;
  return {
    state: hasPath ? state : { ...state, waiting: sequence },
    problems: [...unproven(waiting, last - 1), { sequence: last, words }],
  };
};

/** What an export lacks at its end, and how many of its entries are proven. */
export const checkEnd = (
  { size, hash }: SignedHead,
  state: Exported,
): { readonly proven: number; readonly problems: readonly Problem[] } => {
  const { next, previous, waiting, proven } = state;
  if (next <= size) {
    const { problems } = giveUp(state);
    return { proven, problems: [...problems, { sequence: next, words: missing(next, size) }] };
  }
  if (previous === hash) return { proven: waiting === null ? proven : proven + next - waiting, problems: [] };
  if (previous === null && waiting === null) return { proven, problems: [] };
  const words = `entry ${size} is not the one that the head names as the last`;
  return { proven, problems: [...unproven(waiting ?? size, size - 1), { sequence: size, words }] };
};

const entries = (from: number, to: number): string => (from === to ? `entry ${from}` : `entries ${from} to ${to}`);
const missing = (from: number, to: number): string => `${entries(from, to)} ${from === to ? 'is' : 'are'} missing`;
const unproven = (from: number, to: number): Problem[] => {
  if (from > to) return [];
  const words = `${entries(from, to)} cannot be proven: what proved ${from === to ? 'it' : 'them'} is missing or damaged`;
  return [{ sequence: from, words, unproven: true }];
};
