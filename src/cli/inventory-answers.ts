/** What the server says of endpoints and agents, and how it is shown. */
import { z } from 'zod';
import { date, lines, table } from './print.ts';

const text = z.string().optional();
const time = z.number().optional();

export const warningsSchema = z.array(z.looseObject({ message: z.string() })).default([]);

export const endpointSchema = z.looseObject({
  endpoint_id: z.string(),
  names: z.array(z.string()).optional(),
  host: text,
  port: time,
  server_name: text,
  fleet_id: text,
  agent_id: text,
  policy_id: text,
  validate_from: text,
  deployer: z.looseObject({ kind: z.string(), certificate_arn: text }).optional(),
  current: z.looseObject({ fingerprint: z.string(), serial_number: z.string(), issuer: z.string() }).optional(),
  expires_at: time,
  renews_at: time,
  live_job: text,
  invalid: z.array(z.string()).optional(),
  agent: z.looseObject({ last_heartbeat_at: time }).optional(),
});
export type ShownEndpoint = z.infer<typeof endpointSchema>;

const agentSchema = z.looseObject({
  agent_id: z.string(),
  fleet_id: text,
  last_heartbeat_at: time,
  version: text,
  endpoints: z.array(z.looseObject({ endpoint_id: z.string() })).default([]),
});
export type ShownAgent = z.infer<typeof agentSchema>;

export type InventoryRow = { readonly endpoint: ShownEndpoint } | { readonly agent: ShownAgent };

export const inventorySchema = z
  .object({
    endpoints: z.array(endpointSchema),
    agents: z.array(agentSchema),
    next_token: z.string().optional(),
  })
  .transform(({ endpoints, agents, next_token }) => ({
    rows: [
      ...endpoints.map((endpoint): InventoryRow => ({ endpoint })),
      ...agents.map((agent): InventoryRow => ({ agent })),
    ],
    next_token,
  }));

const optionalDate = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : date(ms));

const address = ({ host, port }: ShownEndpoint): string | undefined =>
  host === undefined || port === undefined ? undefined : `${host.includes(':') ? `[${host}]` : host}:${port}`;

export const describeEndpoint = (endpoint: ShownEndpoint): string =>
  lines([
    ['Endpoint', endpoint.endpoint_id],
    ['Names', endpoint.names?.join(', ')],
    ['Address', address(endpoint)],
    ['Server Name', endpoint.server_name],
    ['Policy', endpoint.policy_id],
    ['Fleet', endpoint.fleet_id],
    ['Agent', endpoint.agent_id],
    ['Deployed By', endpoint.deployer?.certificate_arn ?? endpoint.deployer?.kind],
    ['Validated From', endpoint.validate_from],
    ['Serial', endpoint.current?.serial_number],
    ['Fingerprint', endpoint.current?.fingerprint],
    ['Issuer', endpoint.current?.issuer],
    ['Expires', optionalDate(endpoint.expires_at)],
    ['Renewal', endpoint.live_job],
    ['Invalid', endpoint.invalid?.join(', ')],
  ]);

export const tableOfEndpoints = (endpoints: readonly ShownEndpoint[]): string =>
  table(
    ['ENDPOINT', 'NAME', 'EXPIRES', 'RENEWS', 'POLICY', 'AGENT', 'HEARTBEAT', 'RENEWAL'],
    endpoints.map((endpoint) => [
      endpoint.endpoint_id,
      endpoint.names?.[0] ?? '?',
      optionalDate(endpoint.expires_at) ?? '-',
      optionalDate(endpoint.renews_at) ?? '-',
      endpoint.policy_id ?? '?',
      endpoint.agent_id ?? '-',
      optionalDate(endpoint.agent?.last_heartbeat_at) ?? '-',
      endpoint.live_job ?? '-',
    ]),
  );

export const tableOfAgents = (agents: readonly ShownAgent[]): string =>
  table(
    ['AGENT', 'FLEET', 'HEARTBEAT', 'VERSION', 'ENDPOINTS'],
    agents.map((agent) => [
      agent.agent_id,
      agent.fleet_id ?? '-',
      optionalDate(agent.last_heartbeat_at) ?? '-',
      agent.version ?? '-',
      agent.endpoints.map(({ endpoint_id }) => endpoint_id).join(' ') || '-',
    ]),
  );
