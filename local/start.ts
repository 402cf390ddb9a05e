/** `npm start`: the local cloud, the main job in front of the user, then the commands to try; stays up until Ctrl-C. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { domainName, longestWords } from '../lib/config.ts';
import { environmentWord, nameWord, parameterName, tableName } from '../src/names.ts';
import { cliFile } from './cli.ts';
import { assertPortFree, defaultStateDir, type LocalCloud, startLocalCloud } from './cloud.ts';
import { liveLine } from './live-line.ts';
import { playMainJob } from './story.ts';
import { root } from './tools.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

interface StartOptions {
  readonly once?: true;
  readonly keep?: true;
  readonly quiet?: true;
  readonly name: string;
  readonly environment: string;
  readonly domain: string;
  readonly region: string;
  readonly port?: number;
}

/** Tried when no port is asked for; another is taken when it is not free. */
const usualPort = 8443;

const readPort = (text: string): number => {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new InvalidArgumentError('It must be a port, 1 to 65535.');
  return port;
};

const matching =
  (shape: RegExp, what: string) =>
  (text: string): string => {
    if (!shape.test(text)) throw new InvalidArgumentError(`It must be ${what}.`);
    return text;
  };
const readName = matching(nameWord, 'a lower-case word of at most 31 letters, digits and hyphens');
const readEnvironment = matching(environmentWord, 'a lower-case word of at most 31 letters and digits');
const readDomain = matching(domainName, 'a lower-case domain name');
const readRegion = matching(/^[a-z]{2}(-[a-z]+)+-\d$/, 'a region, such as us-east-1');

const command = new Command('npm start --')
  .description('Everleaf on this machine: an AWS emulator, the real stack, an mTLS gateway in front')
  .option('--once', 'end after the main job')
  .option('--keep', 'take up what the last start with --keep left, and leave it again')
  .option('--quiet', 'say nothing but what fails')
  .option('--name <word>', 'name of the deployment', readName, 'everleaf')
  .option('--environment <word>', 'its environment', readEnvironment, 'dev')
  .option('--domain <name>', 'the domain of its API', readDomain, 'everleaf.localhost')
  .option('--region <name>', 'the region that is played', readRegion, 'us-east-1')
  .addOption(
    new Option('--port <port>', `where the gateway listens on 127.0.0.1; ${usualPort} if that is free`).argParser(
      readPort,
    ),
  )
  // Used wrongly: 2, as of the command line itself. Asking for help is no mistake.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse();
const options = command.opts<StartOptions>();
if (options.name.length + options.environment.length > longestWords)
  command.error(`error: --name and --environment may have ${longestWords} characters together`);

const colours = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code: number, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
const live = liveLine(process.stdout, process.stdout.isTTY && process.env.TERM !== 'dumb' && !options.quiet);
const print = (text: string): void => {
  if (!options.quiet) live.print(text);
};
const indent = (text: string): string => text.trimEnd().replace(/^/gm, '    ');

const localFile = join(root, '.everleaf', 'local.json');
const running = z.object({ pids: z.array(z.number()), server: z.string().optional() });

/** Another start with this checkout that is alive. */
const other = (): { pid: number; server: string | undefined } | undefined => {
  if (!existsSync(localFile)) return undefined;
  try {
    const { pids, server } = running.parse(JSON.parse(readFileSync(localFile, 'utf8')));
    const [pid] = pids;
    if (pid === undefined || pid === process.pid) return undefined;
    process.kill(pid, 0);
    // A number may have been given to another program meanwhile; where that can be seen, look.
    const commandLine = `/proc/${pid}/cmdline`;
    if (existsSync(commandLine) && !readFileSync(commandLine, 'utf8').includes('start.ts')) return undefined;
    return { pid, server };
  } catch {
    return undefined;
  }
};

const writeLocal = (content: object): void => {
  mkdirSync(dirname(localFile), { recursive: true });
  writeFileSync(`${localFile}.new`, `${JSON.stringify(content, null, 2)}\n`);
  renameSync(`${localFile}.new`, localFile);
};

const choosePort = async (): Promise<number> => {
  if (options.port !== undefined) {
    await assertPortFree(options.port);
    return options.port;
  }
  return assertPortFree(usualPort).then(
    () => usualPort,
    () => 0,
  );
};

const tryItYourself = (cloud: LocalCloud, { id, ...pair }: { id: string; cert: string; key: string }): string => {
  const envFile = join(defaultStateDir, 'env');
  const words = ['EVERLEAF_SERVER', 'EVERLEAF_CACERT', 'EVERLEAF_CLIENT_CERT', 'EVERLEAF_CLIENT_KEY', 'EVERLEAF_NAME'];
  words.push(...Object.keys(cloud.env).filter((word) => word.startsWith('AWS_')));
  const quote = (text: string) => (/^[\w./:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const lines = words.map((word) => `export ${word}=${quote(cloud.env[word] ?? '')}`);
  // Whatever else a shell says of AWS, such as a profile or a session, would bring another account in.
  lines.unshift("unset AWS_PROFILE $(env | sed -n 's/^\\(AWS_[A-Za-z0-9_]*\\)=.*/\\1/p')");
  lines.push(`everleaf() { node ${quote(cliFile)} "$@"; }`);
  writeFileSync(envFile, `${lines.join('\n')}\n`);
  const table = tableName(cloud, 'principals');
  return [
    paint(1, 'Try it, in another terminal:'),
    `  . ${quote(envFile)}`,
    '',
    '  everleaf principal list',
    '  everleaf principal create worker-prod-99 --type worker',
    `  everleaf certificate list ${id}`,
    `  everleaf principal suspend ${id} --reason "Compromised credentials detected"`,
    `  curl --cacert ${quote(cloud.cacert)} --cert ${quote(pair.cert)} --key ${quote(pair.key)} ${cloud.server}/whoami`,
    `  everleaf principal activate ${id}`,
    '',
    '  # break-glass, as in the runbook: past the API, and in force on the very next call',
    `  aws dynamodb update-item --table-name ${table} --key '{"principal_id": {"S": "${id}"}}' \\`,
    `    --update-expression 'SET #s = :s' --expression-attribute-names '{"#s": "status"}' \\`,
    `    --expression-attribute-values '{":s": {"S": "suspended"}}'`,
    '  everleaf audit list --since 1h',
    '  everleaf audit verify',
    `  aws ssm get-parameter --name ${parameterName(cloud, 'ca-cert')} --query Parameter.Value --output text`,
    '',
    '  # again and safely, with the local domain; the emergency admin’s key is sealed with this passphrase',
    `  everleaf bootstrap --environment ${cloud.environment} --domain ${cloud.domain} \\`,
    `    --output-dir ${quote(cloud.files)} --passphrase-file ${quote(cloud.passphraseFile)}`,
  ].join('\n');
};

const abort = new AbortController();
let cloud: LocalCloud | undefined;
let wakeUp: () => void = () => undefined;
const interrupted = new Promise<void>((resolve) => {
  wakeUp = resolve;
});
/** An orderly stop takes about a second; whatever hangs then is killed with this process (ms). */
const stopsWithin = 8_000;
const interrupt = () => {
  if (abort.signal.aborted) return;
  abort.abort();
  print('\nstopping');
  wakeUp();
  setTimeout(() => process.exit(130), stopsWithin).unref();
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
// Whoever started this may be killed without a word.
const parent = process.ppid;
setInterval(() => process.ppid !== parent && interrupt(), 1_000).unref();

const main = async (): Promise<number> => {
  const alive = other();
  if (alive) {
    process.stderr.write(
      `a local cloud of this checkout runs already (process ${alive.pid}${alive.server ? `, ${alive.server}` : ''}): stop it first\n`,
    );
    return 1;
  }
  const began = Date.now();
  const seconds = () => `${Math.round((Date.now() - began) / 1000)} s`;
  try {
    const port = await choosePort();
    writeLocal({ ready: false, pids: [process.pid] });
    const { once, keep = false, quiet, port: _, ...named } = options;
    const endpoint = process.env.EVERLEAF_AWS_ENDPOINT;
    cloud = await startLocalCloud({
      ...named,
      port,
      keep,
      stateDir: defaultStateDir,
      signal: abort.signal,
      say: (line) => print(`${paint(2, seconds().padStart(5))}  ${line}`),
      progress: live.progress,
      report: (line) => print(paint(2, `       gateway: ${line}`)),
      ...(endpoint ? { endpoint } : {}),
    });
    print(`${paint(2, seconds().padStart(5))}  ${paint(32, 'the CA is bootstrapped')}: files in ${cloud.files}`);
    print(`       the emergency admin's key is sealed with the passphrase in ${cloud.passphraseFile}\n`);
    const told = playMainJob(cloud, {
      explain: (line) => print(paint(1, line)),
      // Paths as seen from here: shorter, and they work.
      command: (line) => print(paint(36, `  $ ${line.replaceAll(`${process.cwd()}/`, '')}`)),
      output: (text) => print(`${indent(text)}\n`),
      progress: live.progress,
    });
    const pair = await Promise.race([told, cloud.crashed, interrupted]);
    if (!pair) return 130;
    const { server, enroll_server, cacert, client_cert, client_key, aws_endpoint, region, name, environment, pids } =
      cloud;
    const fields = {
      server,
      enroll_server,
      cacert,
      client_cert,
      client_key,
      aws_endpoint,
      region,
      name,
      environment,
      pids,
    };
    writeLocal({ ready: true, ...fields });
    print(`${paint(32, 'Everything answers')} after ${seconds()}: ${server}\n`);
    if (once) return 0;
    print(tryItYourself(cloud, pair));
    print(
      `\nCtrl-C ends it: no process stays. ${defaultStateDir} stays, with logs and private keys, ${
        keep ? 'and is taken up by the next start with --keep' : 'until the next start empties it'
      }.`,
    );
    live.end();
    await Promise.race([interrupted, cloud.crashed]);
    return 0;
  } catch (error) {
    if (abort.signal.aborted) return 130;
    live.end();
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await cloud?.stop();
    live.end();
    if (existsSync(localFile) && !other()) rmSync(localFile, { force: true });
  }
};

process.exitCode = await main();
process.exit();
