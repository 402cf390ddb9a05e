/** Every physical name that a runbook types, from the deployment's two words. Shared by synth time and run time; pure. */

/** What names a deployment: `cdk deploy -c name=airunner -c environment=prod`. */
export interface Deployment {
  readonly name: string;
  readonly environment: string;
}

export const tables = ['principals', 'certificates', 'endpoints', 'jobs', 'credentials', 'controls', 'audit'] as const;
export type Table = (typeof tables)[number];

/** Functions that are invoked by name: from another function, from the command line, or by an operator. */
export type InternalFunction =
  | 'sign-certificate'
  | 'issue-admin-certificate'
  | 'renew-server-certificate'
  | 'update-truststore';

export type Parameter = 'ca-cert' | 'server-key' | 'server-cert';

/** Lower-case words that stay valid in every AWS name they end up in. */
export const deploymentWord = /^[a-z][a-z0-9-]{0,30}$/;

export const tableName = (d: Deployment, table: Table): string => `${d.name}_${d.environment}_${table}`;
export const parameterName = (d: Deployment, parameter: Parameter): string =>
  `/${d.name}/${d.environment}/${parameter}`;
export const functionName = (d: Deployment, fn: InternalFunction): string => `${d.name}-${d.environment}-${fn}`;
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
export const generationKey = (copy: number): string => `generation#${copy}`;
