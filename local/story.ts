/** The main job, played in front of the user with the real command line and real TLS connections; each step is checked. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { z } from 'zod';
import { tableName } from '../src/names.ts';
import { runCli } from './cli.ts';
import type { LocalCloud } from './cloud.ts';

export interface Narrator {
  /** Why, in a line. */
  readonly explain: (line: string) => void;
  /** What is done, as one would type it. */
  readonly command: (line: string) => void;
  readonly output: (text: string) => void;
  /** What is waited for, or how far it is. */
  readonly progress: (text: string) => void;
}

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** `GET <path>` over mutual TLS on a connection of its own. */
export const get = (cloud: LocalCloud, path: string, pair: Pair): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(cloud.server);
    const tls = { ca: readFileSync(cloud.cacert), cert: readFileSync(pair.cert), key: readFileSync(pair.key) };
    const call = request({ ...tls, host: hostname, port, path, agent: false, timeout: 30_000 }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on('timeout', () => call.destroy(new Error(`${cloud.server}${path} did not answer within 30 s`)));
    call.on('error', reject);
    call.end();
  });

const issued = z.object({ serial_number: z.string() });
const listed = z.object({ entries: z.array(z.object({ action: z.string() })) });
const shown = z.object({ principals: z.array(z.object({ principal_id: z.string() })) });

/** An id that is free: ids are never reused, and a kept cloud has seen this story before. */
const freeId = async (cloud: LocalCloud): Promise<string> => {
  const { out } = await runCli(['principal', 'list', '--output', 'json'], cloud.env);
  const taken = new Set(shown.parse(JSON.parse(out)).principals.map((p) => p.principal_id));
  for (let n = 1; ; n += 1) {
    const id = `worker-prod-${String(n).padStart(2, '0')}`;
    if (!taken.has(id)) return id;
  }
};

/** The runbook's edit of a principal, as one types it and as it is sent. */
const breakGlass = (cloud: LocalCloud, principal_id: string, reason: string) => {
  const input = {
    TableName: tableName(cloud, 'principals'),
    Key: { principal_id: { S: principal_id } },
    UpdateExpression: 'SET #status = :suspended, suspended_at = :now, suspended_reason = :reason',
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: {
      ':suspended': { S: 'suspended' },
      ':now': { N: String(Date.now()) },
      ':reason': { S: reason },
    },
  };
  const options = [
    `--table-name ${input.TableName}`,
    `--key '${JSON.stringify(input.Key)}'`,
    `--update-expression "${input.UpdateExpression}"`,
    `--expression-attribute-names '${JSON.stringify(input.ExpressionAttributeNames)}'`,
    `--expression-attribute-values '${JSON.stringify(input.ExpressionAttributeValues)}'`,
  ];
  return { input, line: ['aws dynamodb update-item', ...options].join(' \\\n      ') };
};

/** The entries of the audit come after the change, through the table's stream: usually within two seconds (ms). */
const enteredWithin = 30_000;

/** Waits until the audit has an entry of the subject's with this action. @throws Error when it comes to none */
const entered = async (cloud: LocalCloud, subject: string, action: string): Promise<void> => {
  for (const until = Date.now() + enteredWithin; ; ) {
    const { out } = await runCli(['audit', 'list', '--subject', subject, '--output', 'json'], cloud.env);
    if (listed.parse(JSON.parse(out)).entries.some((entry) => entry.action === action)) return;
    if (Date.now() > until) throw new Error(`the audit has no entry ${action} of ${subject} after ${enteredWithin} ms`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
};

/** Plays it. @throws Error as soon as something is answered otherwise than promised. */
export const playMainJob = async (
  cloud: LocalCloud,
  { explain, command, output, progress }: Narrator,
): Promise<Pair & { readonly id: string }> => {
  const everleaf = async (...words: string[]): Promise<string> => {
    command(`everleaf ${words.map((word) => (/[\s"']/.test(word) ? JSON.stringify(word) : word)).join(' ')}`);
    const { out } = await runCli(words, cloud.env);
    output(out);
    return out;
  };
  const whoami = async (pair: Pair, status: number, message?: string): Promise<void> => {
    command(`curl --cacert ${cloud.cacert} --cert ${pair.cert} --key ${pair.key} ${cloud.server}/whoami`);
    const answer = await get(cloud, '/whoami', pair);
    output(`${answer.status} ${answer.body}`);
    const expected = message === undefined || answer.body === JSON.stringify({ message }).replace(':', ': ');
    if (answer.status !== status || !expected) {
      throw new Error(`GET /whoami answered ${answer.status} ${answer.body}, not ${status} ${message ?? ''}`);
    }
  };
  const issue = async (id: string, which: string): Promise<Pair & { serial: string }> => {
    const pair = {
      cert: join(cloud.files, `${id}-${which}-cert.pem`),
      key: join(cloud.files, `${id}-${which}-key.pem`),
    };
    const words = ['certificate', 'issue', id, '--key-out', pair.key, '--cert-out', pair.cert];
    command(`everleaf ${words.join(' ')}`);
    const { out } = await runCli([...words, '--output', 'json'], cloud.env);
    const { serial_number: serial } = issued.parse(JSON.parse(out));
    output(`Serial: ${serial}`);
    return { ...pair, serial };
  };

  const id = await freeId(cloud);
  explain(`A worker is registered: from now on certificates can be issued for ${id}, and it can be suspended.`);
  await everleaf('principal', 'create', id, '--type', 'worker');
  explain(
    'Its key is made here and stays here; the CA, whose own key never leaves KMS, signs the request made with it.',
  );
  const first = await issue(id, 'first');
  explain(
    'With it the worker calls the API over mutual TLS: the gate reads its principal, certificate and generation.',
  );
  await whoami(first, 200);
  explain('A second certificate of the same worker, made with another key.');
  const second = await issue(id, 'second');
  const reason = 'Compromised credentials detected';
  explain('Its credentials may be stolen: it is suspended. Nothing is cached, so the very next call is refused.');
  await everleaf('principal', 'suspend', id, '--reason', reason);
  await whoami(first, 401, `principal suspended: ${reason}`);
  explain('A false alarm: activated, it is let in again at once.');
  await everleaf('principal', 'activate', id);
  await whoami(first, 200);
  explain('This key really was stolen: its certificate is revoked, and what was made with that key falls with it.');
  await everleaf('certificate', 'revoke', first.serial, '--reason', 'key_compromise');
  await whoami(first, 401, 'certificate revoked: key_compromise');
  explain('The second certificate has another key: the worker goes on working.');
  await whoami(second, 200);

  explain('Each of these changes is an entry of the audit, chained, and signed where nobody can take it away.');
  progress('the entries come through the stream');
  await entered(cloud, `certificates/${first.serial}`, 'certificate_revoked');
  await everleaf('audit', 'list', '--limit', '5');
  const other = await freeId(cloud);
  explain(
    "Somebody with AWS access goes past Everleaf, as the runbook's break-glass suspension of another worker does.",
  );
  await everleaf('principal', 'create', other, '--type', 'worker');
  const edit = breakGlass(cloud, other, reason);
  command(`${edit.line}\n`);
  await cloud.aws.updateItem(edit.input);
  explain('Everleaf did not write this, and says so within seconds: an entry out_of_band, and an alarm.');
  progress('the entry comes through the stream');
  await entered(cloud, `principals/${other}`, 'out_of_band');
  const told = await everleaf('audit', 'list', '--subject', `principals/${other}`);
  if (!told.includes('status: active → suspended')) throw new Error(`the audit does not tell what changed: ${told}`);
  explain('Nobody altered, removed or inserted an entry: each is read, and compared with the signed heads.');
  await everleaf('audit', 'verify');
  return { ...second, id };
};
