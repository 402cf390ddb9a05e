/** The agent's own file: the only place that says where it reports to, which commands it runs and where it writes. */
import { realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, normalize } from 'node:path';
import { z } from 'zod';
import { Misuse } from '../cli/failure.ts';
import { readText } from '../cli/files.ts';
import { endpointIdSchema } from '../endpoint/ids.ts';
import { checkUntouchable } from './folder.ts';

/** How a consumer takes a new version up. */
export type Reload =
  | { readonly kind: 'command'; readonly command: readonly string[] }
  | { readonly kind: 'signal'; readonly signal: ReloadSignal; readonly pid_file: string }
  | { readonly kind: 'kubernetes'; readonly secret: KubernetesSecret };

export interface KubernetesSecret {
  readonly namespace: string;
  readonly secret: string;
  /** Absent: the agent runs in the cluster, with a service account. */
  readonly kubeconfig?: string | undefined;
}

/** A place that serves a certificate, as this node knows it. */
export interface Endpoint {
  readonly endpoint_id: string;
  /** Holds `versions/` and the links `current` and `previous`. */
  readonly directory: string;
  /** Asked before the consumer reloads; `{candidate}` in it stands for the folder of the version to come. */
  readonly check: readonly string[] | null;
  readonly reload: Reload | null;
  /** Of each command, ms. */
  readonly timeout_ms: number;
  /** Whether the folder's group may read keys. */
  readonly group_readable: boolean;
}

export interface AgentConfig {
  readonly server: URL;
  /** null: the system's own roots. */
  readonly cacert: string | null;
  readonly client_cert: string;
  readonly client_key: string;
  readonly state_dir: string;
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  readonly http01: { readonly port: number; readonly address: string | null } | null;
}

const path = z
  .string('must be a path')
  .refine((text) => isAbsolute(text) && normalize(text) === text && !text.endsWith('/'), 'must be an absolute path');

const command = z
  .array(z.string('must be words'), 'must be a list: the command and its arguments')
  .min(1, 'must name a command')
  .refine(([program = '']) => program !== '', 'must name a command')
  .refine(
    ([program = '']) => !program.includes('/') || isAbsolute(program),
    'must begin with an absolute path, or with a name that PATH finds',
  );

const signals = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTERM', 'SIGINT', 'SIGWINCH'] as const;
type ReloadSignal = (typeof signals)[number];
const bySignal = z.strictObject({
  signal: z.enum(signals, `must be one of ${signals.join(', ')}`),
  pid_file: path,
});

const timeoutMessage = 'must be 1 to 3600 seconds';
const files = z.strictObject({
  directory: path,
  check: command.optional(),
  reload: z.unknown().optional(),
  timeout_seconds: z.number(timeoutMessage).min(1, timeoutMessage).max(3600, timeoutMessage).default(30),
  group_readable: z.boolean('must be true or false').default(false),
});

const kubernetesName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'must be a name as Kubernetes takes them');
const kubernetes = z.strictObject({
  kubernetes: z.strictObject({ namespace: kubernetesName, secret: kubernetesName, kubeconfig: path.optional() }),
});

const port = z.number('must be a port').int('must be a port').min(1, 'must be a port').max(65_535, 'must be a port');
const serverMessage = 'must be an address like https://api.example.com';
const server = z.string(serverMessage).refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url?.protocol === 'https:' && !url.username && !url.password && !url.search && !url.hash;
}, serverMessage);

/** As many as one heartbeat tells of. */
const mostEndpoints = 200;

/** The file as it is written. Everything but the endpoints may be left to `agent enroll`. */
export const agentFileSchema = z.strictObject({
  server: server.optional(),
  /** Where `agent run --fleet-id` enrols when nothing else says so. */
  enroll_server: server.optional(),
  cacert: path.optional(),
  client_cert: path.optional(),
  client_key: path.optional(),
  state_dir: path.optional(),
  endpoints: z.record(z.string(), z.unknown(), 'must be an object').default({}),
  http01: z.strictObject({ port, address: z.string().optional() }).optional(),
});
export type AgentFile = z.infer<typeof agentFileSchema>;

/** Parses one value of the file. @throws Misuse naming the field */
const parse = <T>(schema: z.ZodType<T>, value: unknown, file: string, at: readonly string[]): T => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const field = [...at, ...(issue?.path ?? []).map(String), ...(unknown === undefined ? [] : [unknown])].join('.');
  throw new Misuse(`${file}: ${field} ${unknown === undefined ? issue?.message : 'is not a setting'}`);
};

const has = (value: unknown, field: string): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, field);

const readReload = (value: unknown, file: string, at: readonly string[]): Reload | null => {
  if (value === undefined) return null;
  if (Array.isArray(value)) return { kind: 'command', command: parse(command, value, file, at) };
  return { kind: 'signal', ...parse(bySignal, value, file, at) };
};

const readEndpoint = (endpoint_id: string, value: unknown, file: string, state_dir: string): Endpoint => {
  const at = ['endpoints', endpoint_id];
  if (!endpointIdSchema.safeParse(endpoint_id).success)
    throw new Misuse(`${file}: ${JSON.stringify(endpoint_id)} is no endpoint id`);
  if (has(value, 'kubernetes')) {
    const { kubernetes: secret } = parse(kubernetes, value, file, at);
    return {
      endpoint_id,
      directory: join(state_dir, 'secrets', endpoint_id),
      check: null,
      reload: { kind: 'kubernetes', secret },
      timeout_ms: 30_000,
      group_readable: false,
    };
  }
  const { directory, check, reload, timeout_seconds, group_readable } = parse(files, value, file, at);
  return {
    endpoint_id,
    directory,
    check: check ?? null,
    reload: readReload(reload, file, [...at, 'reload']),
    timeout_ms: timeout_seconds * 1000,
    group_readable,
  };
};

/** The file as it stands, for whoever completes it. @throws Misuse naming the file and the field */
export const readAgentFile = (file: string): AgentFile => {
  const text = readText(file, '--config');
  checkUntouchable(realpathSync(file), statSync(file), '--config');
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new Misuse(`--config: ${file} is not JSON`);
  }
  return parse(agentFileSchema, content, file, []);
};

const need = <T>(value: T | undefined, file: string, field: string): T => {
  if (value === undefined)
    throw new Misuse(`${file}: ${field} is missing; write it there, or run everleaf agent enroll`);
  return value;
};

/** One folder in another, or the same: two endpoints would take each other's versions away. */
const overlap = (one: string, other: string): boolean =>
  `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`);

/** @throws Misuse naming the file and the field: an unknown one, a relative path, a file that others may change. */
export const readAgentConfig = (file: string): AgentConfig => {
  const found = readAgentFile(file);
  const state_dir = need(found.state_dir, file, 'state_dir');
  const endpoints = new Map<string, Endpoint>();
  if (Object.keys(found.endpoints).length > mostEndpoints)
    throw new Misuse(`${file}: endpoints must be at most ${mostEndpoints}; run another agent for the others`);
  for (const [endpoint_id, value] of Object.entries(found.endpoints)) {
    const endpoint = readEndpoint(endpoint_id, value, file, state_dir);
    for (const other of endpoints.values())
      if (overlap(endpoint.directory, other.directory))
        throw new Misuse(`${file}: endpoints.${endpoint_id}.directory is also that of ${other.endpoint_id}`);
    if (has(value, 'directory') && overlap(endpoint.directory, state_dir))
      throw new Misuse(`${file}: endpoints.${endpoint_id}.directory and state_dir must be apart`);
    endpoints.set(endpoint_id, endpoint);
  }
  return {
    server: new URL(need(found.server, file, 'server')),
    cacert: found.cacert ?? null,
    client_cert: need(found.client_cert, file, 'client_cert'),
    client_key: need(found.client_key, file, 'client_key'),
    state_dir,
    endpoints,
    http01: found.http01 === undefined ? null : { port: found.http01.port, address: found.http01.address ?? null },
  };
};
