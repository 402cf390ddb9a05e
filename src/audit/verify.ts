/** Verifies the chain row by row: what each says of itself, how it follows from the one before, the tree, the heads. Pure. */
import { type Item, sequenceText } from './chain-rows.ts';
import { type Envelope, readEnvelope } from './entry.ts';
import type { ListedHead } from './head.ts';
import { addLeaf, leafHash, pushLeaf, rootOf } from './tree.ts';
import { addRemark, blame, type Verification } from './verification.ts';

/** What comes next of a chain. */
export interface Part {
  /** As a query of the chain returns them. */
  readonly rows: readonly Item[];
  /** Those of these rows' sizes, the smallest first. */
  readonly heads: readonly ListedHead[];
  /** Whether the chain's writer entered these bytes, in their place; asked where no head covers an entry yet. */
  readonly isSealed: (bytes: string) => boolean;
}

export const verifyNext = (before: Verification, { rows, heads, isSealed }: Part): Verification => {
  const state = structuredClone(before);
  let next = 0;
  for (const row of rows) {
    const hash = verifyRow(state, row, isSealed);
    if (hash === null) continue;
    // Heads of sizes of which there is no row.
    while ((heads[next]?.size ?? state.position) < state.position) next += 1;
    const without = heads[next]?.size === state.position ? (state.roots?.slice() ?? null) : null;
    growTree(state, row, hash);
    for (let head = heads[next]; head?.size === state.position; head = heads[++next])
      compareHead(state, head, hash, without);
  }
  return state;
};

/** chain, sequence, entry, hash, action, nodes */
const attributes = 6;

/** Of rows that stand where no entry does, those that are named. */
const mostStrays = 4;

const faultOf = (row: Item, entry: Envelope | null, hash: string): string | null => {
  if (row.hash !== hash) return 'has another hash than its bytes';
  if (entry === null) return 'holds no entry';
  if (row.action !== entry.action) return 'names another action than its entry';
  if (Object.keys(row).length !== attributes) return 'has other attributes than an entry';
  return null;
};

/** @returns the hash of the row's bytes; null for a row that stands where no entry does. */
const verifyRow = (state: Verification, row: Item, isSealed: Part['isSealed']): string | null => {
  const { sequence, entry: bytes } = row;
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence <= state.position) {
    if (state.strays.length < mostStrays) state.strays.push(sequenceText(row));
    return null;
  }
  const expected = state.position + 1;
  state.entries += 1;
  state.position = sequence;
  if (sequence > expected) {
    settleDoubt(state, null);
    blame(state, expected, missing(expected, sequence - 1));
    state.blamed = sequence - 1;
    state.roots = null;
  }
  const text = typeof bytes === 'string' ? bytes : '';
  const hash = leafHash(text);
  const entry = readEnvelope(text, state.hash);
  settleDoubt(state, entry?.previous ?? null);
  if (entry?.previous !== state.hash) state.is_broken = true;
  const uncovered = sequence > (state.head?.size ?? 0);
  const fault =
    faultOf(row, entry, hash) ??
    (uncovered && !isSealed(text) ? 'holds an entry that the chain’s writer did not enter' : null);
  if (fault !== null) {
    blame(state, sequence, `row ${sequence} ${fault}`);
    state.blamed = sequence;
  } else if (entry !== null) follow(state, entry, hash);
  state.hash = hash;
  return hash;
};

export const missing = (first: number, last: number): string =>
  first === last ? `entry ${first} is missing` : `entries ${first} to ${last} are missing`;

/** What an entry says of itself is consistent: does it follow from the one before? */
const follow = (state: Verification, entry: Envelope, hash: string): void => {
  const { position, offset } = state;
  const linked = entry.previous === state.hash;
  state.offset = entry.sequence - position;
  const moved = state.offset !== 0 && state.offset !== offset;
  if (!moved && (linked || state.blamed === position - 1)) {
    if (entry.appended_at < state.appended_at && state.blamed !== position - 1)
      blame(state, position, `entry ${position} was entered earlier than the one before it`);
    state.appended_at = entry.appended_at;
    return;
  }
  // An entry that the one before fits, one from further on, the same one twice: wrong itself. So is the first one.
  if (linked || state.offset > 0 || hash === state.hash || position === state.checked_from) {
    blame(state, position, `entry ${position} does not follow from the one before it`);
    state.blamed = position;
  } else state.doubted = { sequence: position, hash };
};

/**
 * A row does not follow from the one before it, and either may be wrong. Where another entry follows from that row, it
 * is what it was. @param previous the hash that the next entry follows from; null where there is none
 */
export const settleDoubt = (state: Verification, previous: string | null): void => {
  if (state.doubted === null) return;
  const { sequence, hash } = state.doubted;
  state.doubted = null;
  state.blamed = previous === hash ? sequence - 1 : sequence;
  blame(
    state,
    state.blamed,
    previous === hash
      ? `entry ${sequence - 1} is not the one that entry ${sequence} follows from`
      : `entry ${sequence} does not follow from the one before it`,
  );
};

/**
 * By its name alone: who could make one that agrees falsely cannot take away the one that does not. Whatever else is
 * wrong, as long as each row follows from the one before: so it is seen where that was made to be so.
 */
const compareHead = (
  state: Verification,
  { size, hash: signed, root, hidden }: ListedHead,
  hash: string,
  before: Verification['roots'],
): void => {
  if (hidden) addRemark(state, `the head of size ${size} lies under a delete marker`);
  if (state.is_broken) return;
  if (signed !== hash) {
    const without = before === null ? '' : rootOf(addLeaf({ size: size - 1, roots: before }, signed).frontier);
    state.disputes.push({ size, hash: signed, root, without });
  } else if (state.roots !== null && rootOf({ size, roots: state.roots }) !== root)
    state.disputes.push({ size, hash: signed, root, without: null });
};

const growTree = (state: Verification, { nodes }: Item, hash: string): void => {
  const { position } = state;
  if (state.is_broken) state.roots = null;
  if (state.roots === null) return;
  const completed = pushLeaf(state.roots, position - 1, hash);
  if (!isSame(nodes, completed))
    blame(state, position, `row ${position} holds other nodes of the tree than follow from the entries`);
};

const isSame = (nodes: unknown, completed: readonly string[]): boolean => {
  if (!Array.isArray(nodes) || nodes.length !== completed.length) return false;
  for (let at = 0; at < completed.length; at += 1) if (nodes[at] !== completed[at]) return false;
  return true;
};
