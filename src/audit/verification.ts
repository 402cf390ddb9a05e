/** What is known of a chain after some of its rows, and what is said of it in the end. */
import { z } from 'zod';
import { noEntry } from './entry.ts';
import { type SignedHead, signedHeadSchema } from './head.ts';

/** JSON, so that one part of a chain can be verified here and the next one elsewhere. */
export const verificationSchema = z.strictObject({
  /** The first sequence that was looked at. */
  checked_from: z.number(),
  /** The sequence of the newest row so far; 0 before the first. */
  position: z.number(),
  /** Where rows are read next; null where nothing was, so that what stands before 1 is seen. */
  next: z.strictObject({ at: z.number(), exclusive: z.boolean() }).nullable(),
  /** Rows so far, and the sequences before `checked_from`. */
  entries: z.number(),
  /** The hash of the newest row's bytes. */
  hash: z.string(),
  /** When the newest entry was entered, ms. */
  appended_at: z.number(),
  /** The tree's frontier; null once it cannot be told, since no later node can then be told from a wrong one. */
  roots: z.array(z.string()).nullable(),
  /** A row does not follow from the one before, or a head from the rows: later heads disagree for that alone. */
  is_broken: z.boolean(),
  /** Some of the rows that stand where no entry does, the smallest first: their keys. */
  strays: z.array(z.string()),
  /** By how much the sequence inside of the newest entry is ahead of its row's. */
  offset: z.number(),
  /** The newest sequence that is known to be wrong or missing. */
  blamed: z.number(),
  /** A row that does not follow from the one before; the next row tells which of the two is wrong. */
  doubted: z.strictObject({ sequence: z.number(), hash: z.string() }).nullable(),
  /**
   * Heads that disagree with the row of their size. `without`: the root if nothing but that row were wrong; null where
   * only the tree is another.
   */
  disputes: z.array(
    z.strictObject({ size: z.number(), hash: z.string(), root: z.string(), without: z.string().nullable() }),
  ),
  /** The newest head when the verification began. */
  head: signedHeadSchema.nullable(),
  first_invalid: z.number().nullable(),
  problems: z.array(z.string()),
  remarks: z.array(z.string()),
});
export type Verification = z.infer<typeof verificationSchema>;

/** Nothing was read yet. */
export const beginVerification = (head: SignedHead | null): Verification => ({
  checked_from: 1,
  position: 0,
  next: null,
  entries: 0,
  hash: noEntry,
  appended_at: Number.MIN_SAFE_INTEGER,
  roots: [],
  is_broken: false,
  strays: [],
  offset: 0,
  blamed: 0,
  doubted: null,
  disputes: [],
  head,
  first_invalid: null,
  problems: [],
  remarks: [],
});

const mostWords = 20;
const add = (words: string[], said: string): void => {
  if (words.length < mostWords && !words.includes(said)) words.push(said);
};

/** Something is wrong, though with no entry that could be named. */
export const addProblem = (state: Verification, problem: string): void => add(state.problems, problem);

/** Something should be known although it makes nothing invalid. */
export const addRemark = (state: Verification, said: string): void => add(state.remarks, said);

/** A row is wrong or missing. */
export const blame = (state: Verification, sequence: number, problem: string): void => {
  addProblem(state, problem);
  state.first_invalid = Math.min(sequence, state.first_invalid ?? sequence);
};

/** What is found in the end. */
export const verdictSchema = z.strictObject({
  is_valid: z.boolean(),
  /** Rows that stand where entries do. */
  total_entries: z.number(),
  /**
   * Exact where one row was changed, put in or taken out; where the chain was written anew from some entry on, the one
   * after the last head that still agrees. A row that stands where no entry does only where nothing else is wrong. Null
   * where the chain is valid, and where only a head is wrong.
   */
  first_invalid_sequence: z.number().nullable(),
  /** What is wrong, in words; the first twenty. */
  problems: z.array(z.string()),
  /** What should be known although it makes nothing invalid. */
  remarks: z.array(z.string()),
  /** More than 1 where the entries before were not read. */
  checked_from: z.number(),
  /** The newest head that the deployment signed. */
  head: z.strictObject({ size: z.number(), signed_at: z.number() }).nullable(),
});
export type Verdict = z.infer<typeof verdictSchema>;
