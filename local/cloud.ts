/** A whole local cloud: emulator, the real stack deployed to it, the mTLS gateway in front, the CA and admins bootstrapped. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stackName } from '../src/names.ts';
import { account, assertLoopback, type LocalAws, localAws, localEnvironment } from './aws.ts';
import { countResources, runCdk } from './cdk.ts';
import { buildCli, runCli } from './cli.ts';
import { causeAndLog, type Emulator, orderly, removeFunctions, startEmulator } from './emulator.ts';
import { startGateway } from './gateway/gateway.ts';
import { serverCertificate } from './server-certificate.ts';
import { functionNode, root } from './tools.ts';

export interface CloudOptions {
  /** Default `everleaf`. */
  readonly name?: string;
  /** Default `dev`. */
  readonly environment?: string;
  /** Default `everleaf.localhost`. */
  readonly domain?: string;
  /** Default `us-east-1`. */
  readonly region?: string;
  /** Where the gateway listens on 127.0.0.1; default: the system chooses. */
  readonly port?: number;
  /** Folder for state, logs and files. Emptied at start unless `keep`. */
  readonly stateDir: string;
  /** Takes up what an earlier cloud with the same folder left, and leaves it again. */
  readonly keep?: boolean;
  /** An AWS emulator that runs already, on this machine. It is not stopped and records nothing. */
  readonly endpoint?: string;
  /** Told each step, as it begins. */
  readonly say?: (line: string) => void;
  /** Told how far the step is that was said last. */
  readonly progress?: (text: string) => void;
  /** Told what has no other place: refusals of the gateway's own, domain changes. */
  readonly report?: (line: string) => void;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal;
}

/** The fields of `.everleaf/local.json`, and what only the starting process has. */
export interface LocalCloud {
  readonly server: string;
  /** A second listener comes with enrolment. */
  readonly enroll_server: string | null;
  readonly cacert: string;
  readonly client_cert: string;
  readonly client_key: string;
  readonly aws_endpoint: string;
  readonly region: string;
  readonly name: string;
  readonly environment: string;
  readonly pids: readonly number[];

  readonly domain: string;
  /** Folder of `everleaf bootstrap`'s files. */
  readonly files: string;
  readonly templateFile: string;
  readonly passphraseFile: string;
  /** What functions asked of AWS; read it with `readCalls`. Undefined with an `endpoint` of the user's. */
  readonly callsFile: string | undefined;
  /** Environment of `everleaf` and `aws`: server, certificate, endpoint, dummy credentials. */
  readonly env: Readonly<Record<string, string>>;
  readonly aws: LocalAws;
  /** Rejects, with the log's tail, when the emulator ends by itself. */
  readonly crashed: Promise<never>;
  readonly stop: () => Promise<void>;
}

/** A file in a state folder that is kept, and what it says where the rest is a whole deployment that can be taken up. */
const kept = 'kept';
const leftInOrder = 'left in order';

/** @throws Error in one line when another process listens there. */
export const assertPortFree = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', () => reject(new Error(`port ${port} on 127.0.0.1 is taken: choose another with --port`)));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
  });

/** Starts everything and waits until it answers; on failure nothing is left running. */
export const startLocalCloud = async (options: CloudOptions): Promise<LocalCloud> => {
  const { name = 'everleaf', environment = 'dev', domain = 'everleaf.localhost', region = 'us-east-1' } = options;
  const { stateDir, keep = false } = options;
  const { say = () => undefined, progress = () => undefined, report = () => undefined } = options;
  const stopping: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const end of stopping.splice(0).reverse()) await end();
  };
  const signal = options.signal ?? new AbortController().signal;
  const step = (line: string) => {
    signal.throwIfAborted();
    say(line);
  };
  const file = (part: string) => join(stateDir, part);

  try {
    if (options.port) await assertPortFree(options.port);
    removeFunctions(stateDir);
    const before = existsSync(file(kept)) ? readFileSync(file(kept), 'utf8') : undefined;
    const takenUp = keep && before === leftInOrder;
    if (before !== undefined && !takenUp)
      step(`discarding what ${stateDir} kept: ${keep ? 'it was not left in order' : 'not asked for with --keep'}`);
    if (!takenUp) rmSync(stateDir, { recursive: true, force: true });
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    if (keep) writeFileSync(file(kept), 'in use');
    // Where a deployment began and did not end, nothing can go on.
    let whole = takenUp;

    const callsFile = options.endpoint ? undefined : file('calls.jsonl');
    const emulator: Pick<Emulator, 'endpoint' | 'logFile'> & Partial<Emulator> = options.endpoint
      ? { endpoint: assertLoopback(options.endpoint), logFile: '' }
      : await startEmulator({ stateDir, region, keep, say: step, ...(callsFile ? { recordTo: callsFile } : {}) });
    if (emulator.stop) stopping.push(emulator.stop);
    let ending = false;
    stopping.push(async () => {
      ending = true;
    });
    // Last of all, and only by an emulator that saved what the files beside speak of.
    if (keep)
      stopping.unshift(async () => {
        if (whole && ((await emulator.ended) ?? orderly) === orderly) writeFileSync(file(kept), leftInOrder);
      });
    const crashed = new Promise<never>((_, reject) => {
      void emulator.ended?.then((how) => {
        if (!ending) reject(new Error(causeAndLog(`the AWS emulator ${how}, unasked`, emulator.logFile)));
      });
    });
    crashed.catch(() => undefined);
    const aws = localAws(emulator.endpoint, region);
    const awsEnv = localEnvironment(emulator.endpoint, region);
    step(
      `AWS is played by ${emulator.endpoint}, region ${region}, with dummy credentials: no real account is ever touched`,
    );
    step(functionNode().said);

    const served = await serverCertificate(file('tls'), domain);
    const certificateArn = await importedOnce(aws, file('tls/certificate-arn'), served);
    const outDir = file('cdk.out');
    const templateFile = join(outDir, 'Everleaf.template.json');
    const context = { name, environment, domain, certificateArn };
    const cdk = (log: string) => ({ env: awsEnv, logFile: file(log), signal });
    step('synthesising the stack and preparing the account, as `cdk synth` and `cdk bootstrap` do');
    await Promise.race([
      crashed,
      Promise.all([
        runCdk(
          ['synth', '--quiet', '--output', outDir, ...Object.entries(context).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
          cdk('synth.log'),
        ),
        // No app: a later deployment of the same folder would else zip the whole project.
        runCdk(['bootstrap', '--app', '', `aws://${account}/${region}`], cdk('bootstrap.log')),
        buildCli(),
      ]),
    ]);
    step(`deploying the very stack that \`cdk deploy\` deploys to AWS, as ${stackName({ name, environment })}`);
    // A change set of a deployment without changes would fail the next one.
    const deploy = ['deploy', '--app', outDir, '--all', '--method=direct', '--require-approval', 'never'];
    whole = false;
    await Promise.race([
      crashed,
      runCdk(deploy, { ...cdk('deploy.log'), said: countResources(templateFile, progress) }),
    ]);
    whole = true;

    step('starting the mTLS gateway in front, from the synthesised template');
    const gateway = await startGateway({
      aws,
      templateFile,
      stackName: stackName({ name, environment }),
      serverKeyFile: served.keyFile,
      port: options.port ?? 0,
      report,
    });
    stopping.push(gateway.stop);

    const passphraseFile = file('emergency-passphrase');
    if (!existsSync(passphraseFile))
      writeFileSync(passphraseFile, `${randomBytes(24).toString('base64')}\n`, { mode: 0o600 });
    const files = file('files');
    const server = `https://127.0.0.1:${gateway.port}`;
    const [cacert, client_cert, client_key] = ['ca-cert.pem', 'admin-cert.pem', 'admin-key.pem'].map((f) =>
      join(files, f),
    ) as [string, string, string];
    const env = {
      ...awsEnv,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      EVERLEAF_NAME: name,
      EVERLEAF_SERVER: server,
      EVERLEAF_CACERT: cacert,
      EVERLEAF_CLIENT_CERT: client_cert,
      EVERLEAF_CLIENT_KEY: client_key,
    };
    step('bootstrapping the CA, the admins and the server certificate with `everleaf bootstrap`');
    const words = [
      'bootstrap',
      '--environment',
      environment,
      '--domain',
      domain,
      '--name',
      name,
      '--output-dir',
      files,
    ];
    await Promise.race([crashed, runCli([...words, '--passphrase-file', passphraseFile], env)]);
    signal.throwIfAborted();

    return {
      server,
      enroll_server: null,
      cacert,
      client_cert,
      client_key,
      aws_endpoint: emulator.endpoint,
      region,
      name,
      environment,
      pids: [process.pid, ...(emulator.pid === undefined ? [] : [emulator.pid])],
      domain,
      files,
      templateFile,
      passphraseFile,
      callsFile,
      env,
      aws,
      crashed,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

/** A kept cloud keeps its certificate, so that its domain does. */
const importedOnce = async (
  aws: LocalAws,
  arnFile: string,
  served: { certificate: string; chain: string; key: string },
): Promise<string> => {
  const kept = existsSync(arnFile) ? readFileSync(arnFile, 'utf8').trim() : '';
  if (kept && (await aws.certificate(kept).catch(() => '')).startsWith(served.certificate.trim())) return kept;
  const arn = await aws.importCertificate(served);
  writeFileSync(arnFile, arn);
  return arn;
};

/** Where `npm start` keeps everything. */
export const defaultStateDir = join(root, '.everleaf', 'local');
