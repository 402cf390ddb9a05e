/** What anybody can check without a server: that entries are those that a signed head covers. Pure. */
import { z } from 'zod';
import { type Entry, entryHash, readEntry } from './entry.ts';
import { type SignedHead, signedHeadSchema } from './head.ts';
import { rootFromPath } from './tree.ts';

/** One entry with its proof: the bytes that were hashed, and the audit path of RFC 9162 (section 2.1.3), hex. */
export const provenSchema = z.strictObject({ bytes: z.string(), path: z.array(z.string()) });
export type Proven = z.infer<typeof provenSchema>;

/** The first line of an export; each other line is one entry with its proof against this head. */
export const exportHeaderSchema = z.strictObject({
  everleaf: z.literal('audit export 1'),
  from_sequence: z.number().int().min(1),
  head: signedHeadSchema,
  /** PEM; who checks the export takes it from elsewhere. */
  public_key: z.string(),
});
export type ExportHeader = z.infer<typeof exportHeaderSchema>;

/** What was wrong, and with which entry as far as that is known. */
export interface Problem {
  readonly sequence: number;
  readonly words: string;
}

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
  /** The hash of the entry before; null before the first one. */
  readonly previous: string | null;
}

export const beginExport = ({ from_sequence }: Pick<ExportHeader, 'from_sequence'>): Exported => ({
  next: from_sequence,
  previous: null,
});

/** Checks what comes next in an export: it is covered, it follows the entry before, and none was left out. */
export const checkNext = (
  head: SignedHead,
  { next, previous }: Exported,
  line: unknown,
): { readonly state: Exported; readonly problem?: Problem } => {
  const proven = provenSchema.safeParse(line).data;
  const checked = proven === undefined ? { wrong: 'it cannot be read' } : checkEntry(head, proven);
  if (proven === undefined || 'wrong' in checked) {
    const words = `entry ${next}: ${'wrong' in checked ? checked.wrong : ''}`;
    return { state: { next: next + 1, previous: null }, problem: { sequence: next, words } };
  }
  const { sequence, previous: link } = checked.entry;
  const state = { next: sequence + 1, previous: entryHash(proven.bytes) };
  if (sequence > next) return { state, problem: { sequence: next, words: missing(next, sequence - 1) } };
  if (sequence < next)
    return { state, problem: { sequence, words: `entry ${sequence} stands where entry ${next} belongs` } };
  if (previous !== null && link !== previous)
    return { state, problem: { sequence, words: `entry ${sequence} does not follow entry ${sequence - 1}` } };
  return { state };
};

/** What an export lacks at its end. */
export const checkEnd = ({ size, hash }: SignedHead, { next, previous }: Exported): Problem | undefined => {
  if (next <= size) return { sequence: next, words: missing(next, size) };
  return previous === null || previous === hash
    ? undefined
    : { sequence: size, words: `entry ${size} is not the one that the head names as the last` };
};

const missing = (from: number, to: number): string =>
  from === to ? `entry ${from} is missing` : `entries ${from} to ${to} are missing`;
