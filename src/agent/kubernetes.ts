/** A TLS secret of a Kubernetes cluster: key and certificate change in one request, whoever mounts it reloads by itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { KubernetesSecret } from './config.ts';
import { messageOf } from './failed.ts';
import { findCluster } from './kubeconfig.ts';
import { refusalOf, send } from './post.ts';

/** Who the cluster says has written these fields. */
const manager = 'everleaf-agent';

const base64 = (folder: string, file: string): string => readFileSync(join(folder, file)).toString('base64');

const writtenSchema = z.object({ data: z.record(z.string(), z.string()) });

/** Writes the version in `folder` into the secret, or makes it. null: the cluster has it; else why not. */
export const applySecret = async (
  { namespace, secret, kubeconfig }: KubernetesSecret,
  folder: string,
  timeout_ms: number,
): Promise<string | null> => {
  const data = { 'tls.crt': base64(folder, 'fullchain.pem'), 'tls.key': base64(folder, 'key.pem') };
  const name = `secret ${namespace}/${secret}`;
  try {
    const { peer, headers } = findCluster(kubeconfig);
    const reply = await send(
      peer,
      {
        method: 'PATCH',
        path: ['api', 'v1', 'namespaces', namespace, 'secrets', secret],
        // Server-side apply makes the secret where it is missing; labels and the like of others stay.
        query: `?fieldManager=${manager}&force=true`,
        headers: { ...headers, 'content-type': 'application/apply-patch+yaml' },
        body: JSON.stringify({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: secret, namespace },
          type: 'kubernetes.io/tls',
          data,
        }),
      },
      { timeout_ms },
    );
    if (reply.status < 200 || reply.status > 299) return `the cluster refused ${name}: ${refusalOf(reply)}`;
    const written = writtenSchema.safeParse(reply.content).data?.data;
    return written?.['tls.crt'] === data['tls.crt'] ? null : `the cluster did not take ${name} over`;
  } catch (error) {
    return `cannot write ${name}: ${messageOf(error)}`;
  }
};
