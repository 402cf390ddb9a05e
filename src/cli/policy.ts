/** `everleaf policy …`: which CA issues, for how long, when certificates are renewed and how. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { policyIdSchema } from '../endpoint/ids.ts';
import { challenges, keyTypes } from '../renewal/policy.ts';
import { presetNames } from '../renewal/presets.ts';
import { deletedSchema } from './endpoint.ts';
import { bodyFrom } from './json-file.ts';
import { checkId, collect, readCount, readWhole } from './options.ts';
import { describePolicy, policiesSchema, policySchema, putPolicySchema, tableOfPolicies } from './policy-answers.ts';
import { clean, json } from './print.ts';
import { connect, readPages } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

const base = ['api', 'v1', 'identity', 'policies'] as const;

interface Window {
  readonly days: readonly string[];
  readonly from: string;
  readonly to: string;
}
type Timeouts = Readonly<Record<string, number>>;

type PutOptions = ServerOptions & {
  readonly file?: string;
  readonly preset?: string;
  readonly lifetimeDays?: number;
  readonly renewalWindowDays?: number;
  readonly acmeDirectory?: string;
  readonly account?: string;
  readonly eabSecretArn?: string;
  readonly profile?: string;
  readonly challenge?: string;
  readonly keyType?: string;
  readonly clientAuth?: true;
  readonly contact?: readonly string[];
  readonly retries?: number;
  readonly timeout?: Timeouts;
  readonly maintenanceWindow?: readonly Window[];
};

/** `sat,sun 23:00-02:00`; what the words mean, the server says. */
const readWindow = (text: string, before: readonly Window[] = []): readonly Window[] => {
  const [, days = '', from = '', to = ''] = /^([a-z,]+) +(\S+?)-(\S+)$/.exec(text.trim()) ?? [];
  if (days === '') throw new InvalidArgumentError('It must be like "sat,sun 23:00-02:00", in UTC.');
  return [...before, { days: days.split(','), from, to }];
};

const readTimeout = (text: string, before: Timeouts = {}): Timeouts => {
  const [, step = '', seconds] = /^([a-z]+)=([1-9]\d{0,8})$/.exec(text) ?? [];
  if (step === '') throw new InvalidArgumentError('It must be like deploy=600, in seconds.');
  return { ...before, [step]: Number(seconds) };
};

const pathOf = (id: string): string[] => [...base, checkId('policy-id', id, policyIdSchema)];

const caOf = ({ acmeDirectory: directory, account, eabSecretArn: eab_secret_arn, profile }: PutOptions) => {
  const given = Object.entries({ directory, account, eab_secret_arn, profile }).filter(
    ([, value]) => value !== undefined,
  );
  return given.length === 0 ? undefined : { kind: 'acme', ...Object.fromEntries(given) };
};

const bodyOf = (options: PutOptions) => ({
  preset: options.preset,
  ca: caOf(options),
  lifetime_days: options.lifetimeDays,
  renewal_window_days: options.renewalWindowDays,
  challenge: options.challenge,
  key_type: options.keyType,
  client_auth: options.clientAuth,
  contact: options.contact,
  retries: options.retries,
  timeouts_seconds: options.timeout,
  maintenance_windows: options.maintenanceWindow,
});

const put = async (terminal: Terminal, id: string, options: PutOptions): Promise<void> => {
  const path = pathOf(id);
  const body = bodyFrom(terminal, options.file, bodyOf(options));
  const server = await connect(terminal, options);
  const policy = await server.send(putPolicySchema, { method: 'PUT', path, body });
  for (const { message } of policy.warnings) terminal.err(`warning: ${clean(message)}\n`);
  terminal.out(options.output === 'json' ? json(policy) : describePolicy(policy));
};

/** Adds the noun and its verbs. */
export const addPolicy = (program: Command, terminal: Terminal): void => {
  const noun = program
    .command('policy')
    .description('which CA issues, for how long, and when certificates are renewed');

  noun
    .command('put <policy-id>')
    .description('make a policy, or replace it as a whole; of the private CA unless --acme-directory is given')
    .addOption(new Option('--preset <preset>', 'what to begin from').choices(presetNames))
    .option('--lifetime-days <days>', 'how long its certificates last', readCount)
    .option('--renewal-window-days <days>', 'how long before their end they are renewed', readCount)
    .option('--acme-directory <url>', 'the directory of a public CA')
    .option('--account <account>', 'which account there; default when not given')
    .option('--eab-secret-arn <arn>', 'the secret that holds an external account’s key')
    .option('--profile <profile>', 'a profile of the directory')
    .addOption(new Option('--challenge <challenge>', 'how names are proven').choices(challenges))
    .addOption(new Option('--key-type <type>', 'ec-p256 when not given').choices(keyTypes))
    .option('--client-auth', 'certificates identify clients, too; of the private CA only')
    .option('--contact <address>', 'a mail address; may be repeated', collect)
    .option('--retries <count>', 'tries after the first; 3 when not given', readWhole)
    .option('--timeout <step=seconds>', 'of csr, challenge, deploy or validate; may be repeated', readTimeout)
    .option('--maintenance-window <window>', 'such as "sat,sun 23:00-02:00", in UTC; may be repeated', readWindow)
    .option('--file <file>', 'a JSON file that says all of it instead; - for standard input')
    .action(async (id: string, _own: unknown, command: Command) =>
      put(terminal, id, command.optsWithGlobals<PutOptions>()),
    );

  noun
    .command('get <policy-id>')
    .description('show a policy or preset')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions>();
      const path = pathOf(id);
      const server = await connect(terminal, options);
      const policy = await server.send(policySchema, { method: 'GET', path });
      terminal.out(options.output === 'json' ? json(policy) : describePolicy(policy));
    });

  noun
    .command('list')
    .description('list policies and presets')
    .option('--limit <count>', 'at most so many', readCount)
    .action(async (_own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions & { limit?: number }>();
      const server = await connect(terminal, options);
      const most = options.limit ?? Number.POSITIVE_INFINITY;
      const policies = await readPages(server, policiesSchema, { path: base, most });
      terminal.out(options.output === 'json' ? json({ policies }) : tableOfPolicies(policies));
    });

  noun
    .command('delete <policy-id>')
    .description('delete a policy that no endpoint uses')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions>();
      const path = pathOf(id);
      const server = await connect(terminal, options);
      const answer = await server.send(deletedSchema, { method: 'DELETE', path });
      terminal.out(options.output === 'json' ? json(answer) : `Deleted: ${id}\n`);
    });
};
