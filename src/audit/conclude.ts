/** What the signed heads say of a chain that was read. Pure. */
import type { SignedHead } from './head.ts';
import { addProblem, addRemark, blame, type Verdict, type Verification } from './verification.ts';
import { missing, settleDoubt } from './verify.ts';

/** So long (ms) an entry may wait for a head: the stream delivers again what could not be signed for. */
export const longestUncovered_ms = 5 * 60_000;

const when = (ms: number): string => new Date(ms).toISOString();

/** An object among the heads that the deployment did not sign. */
export const remarkForeign = (state: Verification, { size, hash }: { readonly size: number; readonly hash: string }) =>
  addRemark(state, `an object among the heads, of size ${size} and hash ${hash}, is not signed by this deployment`);

/**
 * A genuine head disagrees with the row of its size, though each row up to it follows from the one before. Its root tells
 * whether all rows before are right; if not, what was changed stands somewhere after `agreed`, the last size of which a
 * genuine head agrees.
 */
export const settleDispute = (
  state: Verification,
  { size, without }: Verification['disputes'][number],
  head: SignedHead,
  agreed: number,
): void => {
  if (without === null) {
    addProblem(state, `the head of size ${size} was signed over another tree than that of the entries`);
    return;
  }
  state.is_broken = true;
  state.roots = null;
  const problem = `entry ${size} is not the one of which a head was signed at ${when(head.signed_at)}`;
  blame(state, without === head.root ? size : agreed + 1, problem);
};

/** Nothing comes after what was read. `newest`: the newest genuine head there is now; `uncovered`: the first entry after it. */
export const conclude = (
  before: Verification,
  {
    newest,
    uncovered,
    now,
  }: {
    readonly newest: SignedHead | null;
    readonly uncovered: { readonly appended_at: number } | null;
    readonly now: number;
  },
): Verdict => {
  const state = structuredClone(before);
  settleDoubt(state, newest !== null && newest.hash === state.doubted?.hash ? newest.hash : null);
  const { position } = state;
  const size = newest?.size ?? 0;
  if (newest !== null && size > position)
    blame(
      state,
      position + 1,
      `${missing(position + 1, size)}: a head was signed over ${size} at ${when(newest.signed_at)}`,
    );
  if (size < position && uncovered !== null && Math.abs(now - uncovered.appended_at) > longestUncovered_ms)
    blame(state, size + 1, `no head was signed over what comes after entry ${size}`);
  const [stray] = state.strays;
  if (stray !== undefined)
    addProblem(
      state,
      `${state.strays.length === 1 ? 'row' : 'rows'} ${state.strays.join(', ')} ${state.strays.length === 1 ? 'stands' : 'stand'} where no entry does`,
    );
  return {
    is_valid: state.problems.length === 0,
    total_entries: state.entries,
    first_invalid_sequence: state.first_invalid ?? (stray === undefined ? null : Number(stray)),
    problems: state.problems,
    remarks: state.remarks,
    checked_from: state.checked_from,
    head: newest && { size, signed_at: newest.signed_at },
  };
};
