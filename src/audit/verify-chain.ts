/** Reads the chain and its heads and verifies them, as far as the time allows. */
import { batchGet } from '../aws/batch-get.ts';
import { Conflict } from '../errors.ts';
import { auditKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type ChainRows, type Item, readChainRows, type Start } from './chain-rows.ts';
import { conclude, remarkForeign, settleDispute } from './conclude.ts';
import { entryHash, readEntry } from './entry.ts';
import type { HeadStore, ListedHead } from './head.ts';
import { newestHead } from './newest-head.ts';
import { readNodes } from './read-nodes.ts';
import { bearsSeal } from './seal.ts';
import { checkStanding } from './standing-head.ts';
import { frontierNodes, lastSequenceOf, rootOf } from './tree.ts';
import { firstUnsealed } from './unsealed.ts';
import { addProblem, addRemark, beginVerification, blame, type Verdict, type Verification } from './verification.ts';
import { missing, type Part, verifyNext } from './verify.ts';

export interface VerifyingWorld extends World {
  readonly heads: HeadStore;
}

/** From the first entry on. */
export const beginChain = async ({ heads }: VerifyingWorld): Promise<Verification> =>
  beginVerification(await newestHead(heads));

/** From the newest head on: what it covers is not read, but for the entry that it names and the tree that it signs. */
export const beginAtHead = async (world: VerifyingWorld): Promise<Verification> => {
  const head = await newestHead(world.heads);
  const state = beginVerification(head);
  if (head === null) return state;
  const { size, hash, root } = head;
  Object.assign(state, {
    checked_from: size + 1,
    position: size,
    next: { at: size, exclusive: true },
    entries: size,
    hash,
  });
  addRemark(state, `${size === 1 ? 'entry 1 was' : `entries 1 to ${size} were`} not read: a head is signed over them`);
  const nodes = frontierNodes(size);
  const rows = await readRows(world, nodes.map(lastSequenceOf));
  for (const sequence of nodes.map(lastSequenceOf))
    if (!rows.has(sequence)) blame(state, sequence, missing(sequence, sequence));
  const bytes = rows.get(size)?.entry;
  if (typeof bytes !== 'string') blame(state, size, missing(size, size));
  else if (entryHash(bytes) !== hash) blame(state, size, `entry ${size} is not the one of which the head was signed`);
  else state.appended_at = readEntry(bytes)?.appended_at ?? state.appended_at;
  try {
    state.roots = rows.size < nodes.length ? null : nodes.map(await readNodes(world, nodes));
    if (state.roots !== null && rootOf({ size, roots: state.roots }) !== root) {
      addProblem(
        state,
        `the rows that hold the tree of the first ${size} entries do not lead to the root that was signed`,
      );
      state.roots = null;
    }
    await checkStanding(world, head);
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    addProblem(state, error.message);
    state.roots = null;
  }
  return state;
};

export interface Turn {
  readonly state: Verification;
  /** Null while there is more to read. */
  readonly verdict: Verdict | null;
}

/** Goes on for about `budget_ms`, by a page at least, up to the end of the chain. */
export const continueChain = async (world: VerifyingWorld, begun: Verification, budget_ms: number): Promise<Turn> => {
  const until = world.now() + budget_ms;
  const stampKey = await world.stampKey();
  const isSealed = (bytes: string): boolean => {
    const entry = readEntry(bytes);
    return entry !== null && bearsSeal(stampKey, world.deployment, entry);
  };
  let state = begun;
  let empty = 0;
  let coming: Promise<ChainRows> | null = readPage(world, state.next);
  while (coming !== null) {
    const { rows, next }: ChainRows = await coming;
    // While this page is verified, the next one comes.
    coming = next === null ? null : readPage(world, next);
    state = await verifyPage(world, state, rows, isSealed);
    state = { ...state, next: next ?? { at: state.position, exclusive: true } };
    if (next === null) {
      // What is there at one moment and gone at the next is not waited for again and again.
      empty = rows.length === 0 ? empty + 1 : 0;
      const ended = await end(world, state, empty > 1);
      if (ended !== null) return { state, verdict: await lookBack(world, state, ended, isSealed) };
      coming = readPage(world, state.next);
    }
    if (world.now() >= until) break;
  }
  return { state, verdict: null };
};

const readPage = (world: World, start: Start | null): Promise<ChainRows> => {
  const page = readChainRows(world, start === null ? {} : { start });
  // Whoever stops reading leaves the page that was asked for in advance to itself.
  page.catch(() => undefined);
  return page;
};

const readRow = async (world: World, sequence: number): Promise<Item | undefined> =>
  (await readRows(world, [sequence])).get(sequence);

/** Those that are there. */
const readRows = async (world: World, sequences: readonly number[]): Promise<ReadonlyMap<number, Item>> => {
  const keys = sequences.map((sequence) => ({ chain: auditKeys.chain, sequence }));
  const rows = await batchGet(world, tableName(world.deployment, 'audit'), keys);
  return new Map(rows.map((row) => [Number(row.sequence), row]));
};

const verifyPage = async (
  world: VerifyingWorld,
  before: Verification,
  rows: readonly Item[],
  isSealed: Part['isSealed'],
): Promise<Verification> => {
  const last = rows.findLast(({ sequence }) => Number.isSafeInteger(sequence))?.sequence;
  const heads =
    !before.is_broken && typeof last === 'number' && last > before.position
      ? await listHeads(world, before.position + 1, last)
      : [];
  const state = verifyNext(before, { rows, heads, isSealed });
  for (const dispute of state.disputes) {
    const { size, hash, root } = dispute;
    const listed = heads.find((one) => one.size === size && one.hash === hash && one.root === root);
    const head = listed === undefined ? null : await world.heads.read(listed);
    if (head === null) {
      remarkForeign(state, dispute);
      continue;
    }
    const agreeing = dispute.without === null ? null : await newestHead(world.heads, { to: size - 1 });
    settleDispute(state, dispute, head, agreeing?.size ?? 0);
    if (dispute.without !== null) break;
  }
  return { ...state, disputes: [] };
};

/** The smallest first. */
const listHeads = async ({ heads }: VerifyingWorld, from: number, to: number): Promise<ListedHead[]> => {
  const listed: ListedHead[] = [];
  for await (const head of heads.listed({ from, to })) listed.push(head);
  return listed.reverse();
};

/** The verdict; null when entries have come meanwhile, which a newer head covers, unless nothing is waited for any more. */
const end = async (world: VerifyingWorld, state: Verification, isFinal: boolean): Promise<Verdict | null> => {
  const newest = await newestHead(world.heads, { foreign: (listed) => remarkForeign(state, listed) });
  const size = newest?.size ?? 0;
  if (!isFinal && size > state.position && (await readRow(world, state.position + 1)) !== undefined) return null;
  const row = size < state.position ? await readRow(world, size + 1) : undefined;
  const uncovered = typeof row?.entry === 'string' ? readEntry(row.entry) : null;
  return conclude(state, { newest, uncovered, now: world.now() });
};

/**
 * Rows that were made anew fit together up to where they do not, and no head tells of those since the last one that
 * agrees: their seals do.
 */
const lookBack = async (
  world: VerifyingWorld,
  state: Verification,
  verdict: Verdict,
  isSealed: Part['isSealed'],
): Promise<Verdict> => {
  const { first_invalid_sequence: first, problems } = verdict;
  if (first === null || first <= 1 || !state.is_broken) return verdict;
  const agreeing = await newestHead(world.heads, { to: first - 1 });
  const range = agreeing && { signed: agreeing.size, to: first - 1 };
  const earlier = range && (await firstUnsealed(world, range, isSealed));
  if (earlier === null) return verdict;
  const problem = `row ${earlier} holds an entry that the chain’s writer did not enter`;
  return { ...verdict, first_invalid_sequence: earlier, problems: [problem, ...problems] };
};
