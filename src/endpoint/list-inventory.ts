/** The inventory: endpoints, the certificates that they serve, and their agents; all of them, or those that end soon. */

import type { Row } from '../aws/unchanged.ts';
import { day_ms } from '../certificate/lifetime.ts';
import { InvalidInput } from '../errors.ts';
import { endpointKeys, listings } from '../names.ts';
import { dueAt } from '../renewal/due.ts';
import type { World } from '../world.ts';
import { type Agent, parseAgent } from './agent.ts';
import { type EndpointView, parseEndpoint, viewEndpoint } from './endpoint.ts';
import { type ExpiryPlace, listExpiring } from './expiring.ts';
import { listRows } from './list-rows.ts';
import { asPreset, parsePolicy } from './policy.ts';
import { readRows } from './read-row.ts';

/** How long ago a certificate may have ended to be among those that end soon; the whole inventory has the others. */
const lookBack_ms = 30 * day_ms;

/** Where a page ended. */
export type InventoryPlace =
  | { readonly endpoint_id: string; readonly expires_at: number }
  | { readonly endpoint_id: string }
  | { readonly agent_id: string };

export interface InventoryQuery {
  /** Those whose certificate ends within it, or has ended in the last 30 days. */
  readonly expiry_within_ms?: number | undefined;
  readonly limit: number;
  readonly after?: InventoryPlace | undefined;
}

export interface InventoryEntry extends EndpointView {
  /** When its renewal is due, ms since the epoch; absent where it serves nothing, or its policy is gone. */
  readonly renews_at?: number;
  readonly agent?: Omit<Agent, 'endpoints'>;
}

export interface Inventory {
  readonly endpoints: readonly InventoryEntry[];
  /** Of the whole inventory, after the last endpoint: every agent, whatever it serves. */
  readonly agents: readonly Agent[];
  readonly next?: InventoryPlace;
}

const withoutEndpoints = ({ endpoints: _said, ...agent }: Agent): Omit<Agent, 'endpoints'> => agent;

/** What is known of each, with its agent and its policy read at once. */
const describe = async (world: World, rows: readonly Row[]): Promise<InventoryEntry[]> => {
  const endpoints = rows.map(parseEndpoint);
  const others = await readRows(
    world,
    endpoints.flatMap(({ agent_id, policy_id }) => [
      ...(agent_id === undefined ? [] : [endpointKeys.agent(agent_id)]),
      ...(policy_id === undefined || asPreset(policy_id) !== undefined ? [] : [endpointKeys.policy(policy_id)]),
    ]),
  );
  return endpoints.map((endpoint) => {
    const { endpoint_id, agent_id, policy_id = '', current } = endpoint;
    const policyRow = others.get(endpointKeys.policy(policy_id));
    const policy = asPreset(policy_id)?.policy ?? (policyRow && parsePolicy(policyRow).policy);
    const agentRow = agent_id === undefined ? undefined : others.get(endpointKeys.agent(agent_id));
    return {
      ...viewEndpoint(endpoint),
      ...(current && policy ? { renews_at: dueAt(policy, { endpoint_id, ...current }) } : {}),
      ...(agentRow ? { agent: withoutEndpoints(parseAgent(agentRow)) } : {}),
    };
  });
};

/** By id, then the agents by theirs; or by the end of their certificates. @throws InvalidInput on `next_token` */
export const listInventory = async (world: World, query: InventoryQuery): Promise<Inventory> => {
  const { expiry_within_ms, after } = query;
  if (after !== undefined && 'expires_at' in after !== (expiry_within_ms !== undefined))
    throw new InvalidInput('next_token', 'is not a token that this list gave out');
  return expiry_within_ms === undefined ? listAll(world, query) : listSoon(world, query, expiry_within_ms);
};

const listSoon = async (world: World, { limit, after }: InventoryQuery, within_ms: number): Promise<Inventory> => {
  const now = world.now();
  const place: ExpiryPlace | undefined = after !== undefined && 'expires_at' in after ? after : undefined;
  const range = { from: now - lookBack_ms, to: now + within_ms };
  const { entries, next } = await listExpiring(world, { ...range, limit, after: place });
  const ids = entries.map(({ endpoint_id }) => endpoint_id);
  const found = await readRows(world, ids);
  const rows = ids.map((id) => found.get(id)).filter((row) => row !== undefined);
  // The index may be a moment behind: what was renewed meanwhile does not end soon any more.
  const endpoints = (await describe(world, rows)).filter(({ expires_at = 0 }) => expires_at <= range.to);
  return { endpoints, agents: [], ...(next === undefined ? {} : { next }) };
};

const listAll = async (world: World, { limit, after }: InventoryQuery): Promise<Inventory> => {
  const inAgents = after !== undefined && 'agent_id' in after;
  const from = after !== undefined && 'endpoint_id' in after ? after.endpoint_id : undefined;
  const { rows = [], next } = inAgents
    ? {}
    : await listRows(world, { listing: listings.endpoints, limit, after: from });
  const endpoints = await describe(world, rows);
  if (next !== undefined) return { endpoints, agents: [], next: { endpoint_id: next } };
  const left = limit - rows.length;
  if (left === 0) return { endpoints, agents: [], next: { agent_id: '' } };
  const key = inAgents ? endpointKeys.agent(after.agent_id) : undefined;
  const found = await listRows(world, { listing: listings.agents, limit: left, after: key });
  const agents = found.rows.map(parseAgent);
  const last = found.next?.slice(endpointKeys.agent('').length);
  return { endpoints, agents, ...(last === undefined ? {} : { next: { agent_id: last } }) };
};
