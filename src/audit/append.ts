/** Appends to the chain: each event once, in the order given, whatever is delivered twice, cut off halfway or raced by another writer. */
import { Unavailable } from '../errors.ts';
import { buildChunk, writeChunk } from './chunk.ts';
import type { Draft } from './entry.ts';
import { foreignDrafts } from './foreign.ts';
import { minimalDraft } from './minimal.ts';
import { type Found, type Position, presentPosition, remember } from './position.ts';
import { type Planted, readMarks } from './seen.ts';
import type { AuditWorld } from './world.ts';

export interface Appended extends Position {
  /** How many entries this call made. */
  readonly entered: number;
}

/** Races that one call may lose in a row; the wait (ms) before the next try is random below 2^n of these, at most the longest. */
const mostLosses = 40;
const firstWait = 10;
const longestWait = 500;

/**
 * Durable once it returns: every draft stands in the chain, by itself or in one entry with its neighbours. A draft with
 * an event that was entered before is not entered again. The answer is an end of the chain behind all of them.
 * @throws Unavailable, or what DynamoDB throws: then maybe some were entered, the first ones, and the same call is to be repeated
 */
export const append = async (world: AuditWorld, drafts: readonly Draft[]): Promise<Appended> => {
  const stampKey = await world.stampKey();
  const planted = new Map<string, Planted>();
  let found = await begin(world);
  let left = distinct([...foreignDrafts(world, found), ...drafts]);
  let entered = 0;
  let known = drafts.length === 0;
  /** Of the drafts that are left: fewer, after DynamoDB refused more. */
  let most = Number.POSITIVE_INFINITY;
  const minimal = new Set<Draft>();
  for (let losses = 0; left.length > 0; ) {
    if (found.to !== undefined && found.position.size >= found.to) {
      found = await presentPosition(world);
      left = distinct([...foreignDrafts(world, found), ...left]);
    }
    const inTheWay = { foreign: found.foreign, planted };
    const chunk = buildChunk(world, stampKey, found.position, left.slice(0, most), { ...inTheWay, to: found.to });
    const refused = await writeChunk(world, chunk, inTheWay);
    if (refused === null) {
      remember(world, chunk.position);
      found = { ...found, position: chunk.position };
      left = left.slice(chunk.drafts);
      entered += chunk.rows.length;
      losses = 0;
      most = Number.POSITIVE_INFINITY;
      continue;
    }
    if (refused.unfit !== undefined) {
      most = Math.max(1, Math.floor(chunk.drafts / 2));
      if (chunk.drafts > 1) continue;
      const [draft, ...rest] = left;
      if (draft === undefined || minimal.has(draft)) throw refused.unfit;
      world.alarm('a change could not be entered as it is', { error: refused.unfit.name, event_ids: draft.event_ids });
      const instead = minimalDraft(draft, refused.unfit, world.now());
      minimal.add(instead);
      left = [instead, ...rest];
      continue;
    }
    if (losses === mostLosses) throw new Unavailable('too many writers at the audit’s chain');
    const marks = await readMarks(world, refused.marked);
    if (marks.entered.size > 0) {
      known = true;
      left = left.filter(({ event_ids }) => !event_ids.some((event_id) => marks.entered.has(event_id)));
    }
    for (const [event_id, mark] of marks.planted) {
      world.alarm('an event was marked as entered that no entry tells of', { event_id });
      planted.set(event_id, mark);
    }
    if (refused.moved) {
      await pause(world, losses);
      found = await presentPosition(world);
      left = distinct([...foreignDrafts(world, found), ...left]);
    }
    losses += 1;
  }
  // What was known before may stand behind anything that was written here.
  const { position } = known ? await presentPosition(world) : found;
  return { ...position, entered };
};

const begin = async (world: AuditWorld): Promise<Found> => {
  const { position } = world.memory;
  return position === undefined ? presentPosition(world) : { position, foreign: new Map() };
};

/** Without those of which an earlier one has an event. */
const distinct = (drafts: readonly Draft[]): Draft[] => {
  const seen = new Set<string>();
  return drafts.filter(({ event_ids }) => {
    if (event_ids.some((event_id) => seen.has(event_id))) return false;
    for (const event_id of event_ids) seen.add(event_id);
    return true;
  });
};

const pause = (world: AuditWorld, losses: number): Promise<void> => {
  const share = (world.randomBytes(1)[0] ?? 0) / 256;
  return world.sleep(share * Math.min(longestWait, firstWait * 2 ** losses));
};
