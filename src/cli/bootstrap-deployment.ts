/** What `bootstrap` does, step by step: adopt the CA, see to the admins, renew the server's certificate. */
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { z } from 'zod';
import type { Operator } from '../aws/operator.ts';
import { environmentWord, nameWord } from '../names.ts';
import { adminFiles, bootstrapAdmin, isHalfDone } from './bootstrap-admin.ts';
import { findDeployment } from './deployment.ts';
import { Misuse, Refused } from './failure.ts';
import { expandHome, makePrivateFolder, publicMode, replaceFile } from './files.ts';
import { belongTogether, finishEarlierSwap, installPair, isEncrypted, readKey } from './pair.ts';
import { choosePassphrase } from './passphrase.ts';
import { json } from './print.ts';
import { type Terminal, withProgress } from './terminal.ts';
import { trustBundle } from './trust-bundle.ts';

/** As commander hands them over. */
export interface BootstrapOptions {
  readonly environment: string;
  readonly domain: string;
  readonly awsRegion?: string;
  readonly outputDir?: string;
  readonly name?: string;
  readonly admin?: true;
  readonly passphraseFile?: string;
  readonly output: 'table' | 'json';
}

const issuedSchema = z.object({ serial_number: z.string(), pem: z.string(), expires_at: z.number() });
const renewedSchema = z.object({ serial_number: z.string(), expires_at: z.number() });

const keyBlock = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----\n?/;

/** The key and its chain out of the one parameter that is always a matching pair. @throws Refused */
const splitServerKey = (text: string): { key: string; chain: string } => {
  const key = keyBlock.exec(text)?.[0] ?? '';
  const chain = text.replace(key, '').trim();
  const opened = readKey(key);
  if (opened === null || isEncrypted(key) || !belongTogether(chain, opened))
    throw new Refused('the parameter server-key holds no key with its certificate; run bootstrap again');
  return { key: `${key.trim()}\n`, chain: `${chain}\n` };
};

/** Steps in an order that can stop anywhere and be repeated; says each thing that it did. */
export const bootstrapDeployment = async (
  terminal: Terminal,
  operator: Operator,
  options: BootstrapOptions,
): Promise<void> => {
  const { environment, domain } = options;
  for (const [option, word, shape] of [
    ['--environment', environment, environmentWord],
    ['--name', options.name, nameWord],
  ] as const)
    if (word !== undefined && !shape.test(word)) throw new Misuse(`${option}: must match ${shape.source}`);
  const doing = <T>(what: string, work: Promise<T>): Promise<T> => withProgress(terminal, what, work);
  const name = options.name ?? (terminal.env.EVERLEAF_NAME || undefined);
  const stacks = await doing('looking for the deployed stack', operator.listStacks());
  const deployment = findDeployment(stacks, { environment, domain, name });
  const folder = expandHome(options.outputDir ?? `~/.${deployment.name}`, terminal.home);

  const authority = await operator.readParameter(deployment, 'ca-cert');
  if (authority === null) throw new Refused('the stack has no authority yet: deploy it to the end first');
  const admins = [];
  for (const files of adminFiles(folder))
    if (options.admin || isHalfDone(files) || !(await operator.hasPrincipal(deployment, files.principal_id)))
      admins.push(files);
  // Asked before anything is changed.
  const passphrase = admins.some((files) => files.sealed)
    ? await choosePassphrase(terminal, options.passphraseFile, 'the emergency admin’s key')
    : undefined;
  const served = await doing(
    'reading the domain’s certificate',
    operator.readDomainCertificate(deployment.certificateArn),
  );

  makePrivateFolder(folder, '--output-dir');
  const said: string[] = [];
  const say = (line: string) => {
    said.push(line);
    if (options.output !== 'json') terminal.out(`${line}\n`);
  };
  const bundle = trustBundle(authority, served, rootCertificates);
  const bundleFile = join(folder, 'ca-cert.pem');
  replaceFile(bundleFile, bundle.pem, publicMode);
  say(
    `${bundleFile}: the CA of ${deployment.name} ${environment}, adopted as deployed, and what verifies https://${domain}`,
  );

  for (const files of admins) {
    const request = (principal_id: string, csr: string) =>
      operator.invoke(deployment, 'issue-admin-certificate', { principal_id, csr }, issuedSchema);
    await doing(
      `having a certificate issued for ${files.principal_id}`,
      bootstrapAdmin(terminal, files, files.sealed ? passphrase : undefined, request),
    );
    say(
      `${files.cert}, ${files.key}: ${files.principal_id}${files.sealed ? ', its key sealed with the passphrase' : ''}`,
    );
  }

  const renewed = await doing(
    'renewing the server certificate',
    operator.invoke(deployment, 'renew-server-certificate', { domain }, renewedSchema),
  );
  const stored = await operator.readParameter(deployment, 'server-key');
  if (stored === null) throw new Refused('the parameter server-key is missing; run bootstrap again');
  const { key, chain } = splitServerKey(stored);
  const server = { cert: join(folder, 'server-cert.pem'), key: join(folder, 'server-key.pem') };
  finishEarlierSwap(server);
  installPair(server, chain, key);
  say(`${server.cert}, ${server.key}: the server certificate ${renewed.serial_number}, renewed and in SSM`);

  if (options.output === 'json')
    terminal.out(
      json({
        name: deployment.name,
        environment,
        domain,
        output_dir: folder,
        server_certificate: renewed,
        admins: admins.map(({ principal_id, cert, key: file }) => ({ principal_id, cert, key: file })),
      }),
    );
};
