/** Where a cluster's API is and how the agent proves itself there: its service account's files, or a kubeconfig in JSON. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { Refused } from '../cli/failure.ts';
import { type Peer, trusting } from './post.ts';

export interface Cluster {
  readonly peer: Peer;
  readonly headers: Readonly<Record<string, string>>;
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Its token is renewed on disk by the cluster, hence read each time. */
const inCluster = (): Cluster => {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env;
  if (host === undefined)
    throw new Refused('the agent does not run in a cluster; name a kubeconfig in the endpoint’s kubernetes');
  const read = (name: string) => readFileSync(`${serviceAccount}/${name}`, 'utf8');
  const server = new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`);
  return {
    peer: { server, tls: trusting({ ca: read('ca.crt') }) },
    headers: { authorization: `Bearer ${read('token').trim()}` },
  };
};

const text = z.string().optional();

const clusterSchema = z.object({
  server: z.url({ protocol: /^https$/ }),
  'certificate-authority': text,
  'certificate-authority-data': text,
});
const userSchema = z.object({
  token: text,
  tokenFile: text,
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  exec: z.unknown().optional(),
  'auth-provider': z.unknown().optional(),
});
const kubeconfigSchema = z.object({
  'current-context': z.string(),
  contexts: z.array(z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: z.string() }) })),
  clusters: z.array(z.object({ name: z.string(), cluster: clusterSchema })),
  users: z.array(z.object({ name: z.string(), user: userSchema })),
});

const parse = (file: string): z.infer<typeof kubeconfigSchema> => {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Refused(`${file} is not JSON; write it with: kubectl config view --raw --minify --flatten -o json`);
  }
  const parsed = kubeconfigSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Refused(`${file}: ${issue?.path.join('.')} ${issue?.message}`);
};

const fromFile = (file: string): Cluster => {
  const config = parse(file);
  const missing = (what: string): never => {
    throw new Refused(`${file}: its current context has no ${what}`);
  };
  const { context } = config.contexts.find(({ name }) => name === config['current-context']) ?? missing('entry');
  const { cluster } = config.clusters.find(({ name }) => name === context.cluster) ?? missing('cluster');
  const { user } = config.users.find(({ name }) => name === context.user) ?? missing('user');
  // A command that a kubeconfig names is not one that the agent's own file names.
  if (user.exec !== undefined || user['auth-provider'] !== undefined)
    throw new Refused(`${file}: its user is proven by a command or provider; give it a token or a certificate`);
  const content = (data: string | undefined, path: string | undefined): string | undefined =>
    data === undefined
      ? path && readFileSync(resolve(dirname(file), path), 'utf8')
      : Buffer.from(data, 'base64').toString('utf8');
  const cert = content(user['client-certificate-data'], user['client-certificate']);
  const key = content(user['client-key-data'], user['client-key']);
  const token = user.token ?? content(undefined, user.tokenFile)?.trim();
  return {
    peer: {
      server: new URL(cluster.server),
      tls: trusting({
        ca: content(cluster['certificate-authority-data'], cluster['certificate-authority']),
        ...(cert === undefined || key === undefined ? {} : { client: { cert, key } }),
      }),
    },
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  };
};

/** @throws Refused, naming what is missing */
export const findCluster = (kubeconfig: string | undefined): Cluster =>
  kubeconfig === undefined ? inCluster() : fromFile(kubeconfig);
