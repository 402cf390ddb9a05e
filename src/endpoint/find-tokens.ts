/** Reads enrolment tokens: one by its id, or all of a fleet. */
import { endpointKeys, listings } from '../names.ts';
import type { World } from '../world.ts';
import { listRows } from './list-rows.ts';
import { readRow } from './read-row.ts';
import { parseToken, type Token } from './token.ts';

/** Strongly consistent. null: there is none. */
export const findToken = async (world: World, token_id: string): Promise<Token | null> => {
  const row = await readRow(world, endpointKeys.token(token_id));
  return row === undefined ? null : parseToken(row);
};

const atOnce = 100;

/** What was made a moment ago may be missing. Those that ended are there for a month. */
export const tokensOf = async (world: World, fleet_id: string): Promise<Token[]> => {
  const tokens: Token[] = [];
  let after: string | undefined;
  do {
    const { rows, next } = await listRows(world, { listing: listings.tokensOf(fleet_id), limit: atOnce, after });
    tokens.push(...rows.map(parseToken));
    after = next;
  } while (after !== undefined);
  return tokens;
};
