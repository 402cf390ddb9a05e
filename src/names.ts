/** Every physical name that a runbook types, from the deployment's two words. Shared by synth time and run time; pure. */

/** What names a deployment: `cdk deploy -c name=airunner -c environment=prod`. */
export interface Deployment {
  readonly name: string;
  readonly environment: string;
}

export const tables = ['principals', 'certificates', 'endpoints', 'jobs', 'credentials', 'controls', 'audit'] as const;
export type Table = (typeof tables)[number];
/** Those whose every change is audited, by their streams. */
export type AuditedTable = Exclude<Table, 'audit'>;
/** Marked as pure, so that the gate's bundle goes without it. */
export const auditedTables = /* @__PURE__ */ tables.filter((table): table is AuditedTable => table !== 'audit');

/** The partition key of each table; of those that are audited, the whole key. */
export const tableKeys = {
  principals: 'principal_id',
  certificates: 'serial_number',
  endpoints: 'endpoint_id',
  jobs: 'job_id',
  credentials: 'credential_id',
  controls: 'control_id',
  audit: 'chain',
} as const satisfies Record<Table, string>;

/** Functions that are invoked by name: from another function, from the command line, or by an operator. */
export const internalFunctions = [
  'sign-certificate',
  'issue-admin-certificate',
  'renew-server-certificate',
  'update-truststore',
] as const;
export type InternalFunction = (typeof internalFunctions)[number];

export const stateMachines = ['verify-audit', 'renew-certificate'] as const;
export type StateMachine = (typeof stateMachines)[number];

export type Parameter = 'ca-cert' | 'server-key' | 'server-cert';

/**
 * Lower-case words that stay valid in every AWS name they end up in. An environment has no hyphen, so that the last one
 * separates the two words of a stack's name: no two deployments share a name.
 */
export const nameWord = /^[a-z][a-z0-9-]{0,30}$/;
export const environmentWord = /^[a-z][a-z0-9]{0,30}$/;

export const tableName = (d: Deployment, table: Table): string => `${d.name}_${d.environment}_${table}`;
export const parameterName = (d: Deployment, parameter: Parameter): string =>
  `/${d.name}/${d.environment}/${parameter}`;
export const functionName = (d: Deployment, fn: InternalFunction): string => `${d.name}-${d.environment}-${fn}`;
export const stateMachineName = (d: Deployment, machine: StateMachine): string =>
  `${d.name}-${d.environment}-${machine}`;
export const stackName = (d: Deployment): string => `${d.name}-${d.environment}`;
export const eventSource = (d: Deployment): string => `${d.name}.identity`;
export const metricsNamespace = (d: Deployment): string => `${d.name}/${d.environment}`;

/** Indexes of the certificates table. */
export const certificateIndexes = {
  byPrincipal: 'by_principal',
  byExpiry: 'by_expiry',
  byPublicKey: 'by_public_key',
} as const;

/** How many identical copies of the generation `controls` holds: one item is read at most 3,000 times a second. */
export const generationCopies = 16;

/** Keys of the rows in `controls`; those with a star are the patterns that grants name. */
export const controlKeys = {
  generation: (copy: number): string => `generation#${copy}`,
  generations: 'generation#*',
  /** Names every principal of type admin. */
  admins: 'admins',
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  key: (public_key_sha256: string): string => `key#${public_key_sha256}`,
  keys: 'key#*',
  lease: (thing: string): string => `lease#${thing}`,
  /** Whether nodes may enrol. */
  enrolment: 'enrolment',
} as const;

/** Partitions of the audit table: the chain itself, and what is kept beside it. */
export const auditKeys = {
  /** Entries, by `sequence` from 1. */
  chain: 'main',
  /** One row for each appended event, so that one that is delivered again is known; sequence 0. */
  seen: (event_id: string): string => `seen#${event_id}`,
  allSeen: 'seen#*',
  /** Whose turn it is to sign a head; sequence 0. */
  turn: 'turn',
  /** Verifications that go on in the background; sequence is when each began, ms. */
  verification: 'verification',
} as const;

/** The index of the audit table: its entries by action, then sequence. */
export const auditByAction = 'by_action';

/** What the audit counts in the deployment's namespace, without dimensions. */
export const auditMetrics = {
  entries: 'audit_entries_total',
  /** Changes behind the product's back, forged stamps among them. */
  outOfBand: 'out_of_band_changes_total',
  unreadable: 'audit_records_unreadable_total',
  invalid: 'audit_chain_invalid',
  differences: 'audit_differences_total',
} as const;
export type AuditMetric = (typeof auditMetrics)[keyof typeof auditMetrics];

/** What renewals count in the deployment's namespace, without dimensions. */
export const renewalMetrics = {
  /** Those that are over, however they ended. */
  ended: 'renewal_total',
  /** Those that stay FAILED, or were rolled back. */
  failed: 'renewal_failed_total',
} as const;
export type RenewalMetric = (typeof renewalMetrics)[keyof typeof renewalMetrics];

/** Where signed heads stand in their bucket. */
export const headsPrefix = 'heads/';

/** Physical things that the stack's own functions change under a lease. */
export const leasedThings = { truststore: 'truststore', serverCertificate: 'server-certificate' } as const;

/** The truststore's object in its bucket. */
export const truststoreKey = 'truststore.pem';

/** The only SAN of a client certificate that the API issues: a SPIFFE id whose trust domain is the deployment. */
export const spiffeId = (d: Deployment, type: string, principal_id: string): string =>
  `spiffe://${d.name}.${d.environment}/${type}/${principal_id}`;

/** Keys of the rows in `endpoints` that are no endpoint, which has its plain id; those with a star are the patterns that grants name. */
export const endpointKeys = {
  policy: (policy_id: string): string => `policy#${policy_id}`,
  policies: 'policy#*',
  fleet: (fleet_id: string): string => `fleet#${fleet_id}`,
  fleets: 'fleet#*',
  /** SHA-256 of the token, lower-case hex. */
  token: (token_id: string): string => `token#${token_id}`,
  tokens: 'token#*',
  /** The agent's principal id. */
  agent: (agent_id: string): string => `agent#${agent_id}`,
  agents: 'agent#*',
} as const;

/** Indexes of the endpoints table. Each has the table's own key as its sort key or, by expiry, `expires_at`; they hold keys only. */
export const endpointIndexes = {
  /** `listing` */
  byListing: 'by_listing',
  /** `expiry_bucket`, `expires_at`: endpoints by the end of their current certificate. */
  byExpiry: 'by_expiry',
  /** `fleet_id`: endpoints alone have it. */
  byFleet: 'by_fleet',
  /** `policy_id`: endpoints alone have it. */
  byPolicy: 'by_policy',
} as const;

/** What a row's `listing` says: what it is listed among. */
export const listings = {
  endpoints: 'endpoint',
  policies: 'policy',
  fleets: 'fleet',
  agents: 'agent',
  tokensOf: (fleet_id: string): string => `token#${fleet_id}`,
} as const;

/** Indexes of the jobs table, each with the job's id, and so the time, as its sort key; they hold keys only. */
export const jobIndexes = {
  /** `status` */
  byStatus: 'by_status',
  /** `endpoint_id` */
  byEndpoint: 'by_endpoint',
  /** `task_agent`: only while a task of that agent's is open. */
  byTaskOwner: 'by_task_owner',
} as const;
