/** `everleaf agent …`: the program on a fleet's node, and how it joins. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { Misuse } from './failure.ts';
import { expandHome, readText } from './files.ts';
import { date, json, lines } from './print.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

type EnrolOptions = ServerOptions & {
  readonly config?: string;
  readonly fleetId?: string;
  readonly enrollServer?: string;
  readonly apiKeyFile?: string;
  readonly apiKey?: string;
};

const standardInput = 0;

const fileOf = ({ env, home }: Terminal, { config }: EnrolOptions): string =>
  resolve(expandHome(config ?? (env.EVERLEAF_AGENT_CONFIG || join(home, '.everleaf', 'agent.json')), home));

/** @throws Misuse naming the option */
const readToken = (terminal: Terminal, { apiKeyFile, apiKey }: EnrolOptions): string => {
  if (apiKeyFile !== undefined && apiKey !== undefined) throw new Misuse('--api-key: give it, or --api-key-file');
  if (apiKeyFile === '-') return readFileSync(standardInput, 'utf8').trim();
  if (apiKeyFile !== undefined) return readText(expandHome(apiKeyFile, terminal.home), '--api-key-file').trim();
  const token = apiKey ?? terminal.env.EVERLEAF_API_KEY ?? '';
  if (token === '') throw new Misuse('--api-key-file is missing: give it, or set EVERLEAF_API_KEY');
  return token;
};

const warn = (terminal: Terminal, { apiKey }: EnrolOptions): void => {
  if (apiKey !== undefined)
    terminal.err(
      'warning: --api-key shows the key to whoever lists this machine’s processes; use --api-key-file or EVERLEAF_API_KEY\n',
    );
};

const enrol = async (terminal: Terminal, options: EnrolOptions, fleet_id: string) => {
  const { enrolAgent } = await import('../agent/enroll.ts');
  const cacert = options.cacert ?? (terminal.env.EVERLEAF_CACERT || undefined);
  return enrolAgent({
    file: fileOf(terminal, options),
    fleet_id,
    token: readToken(terminal, options),
    enroll_server: options.enrollServer ?? (terminal.env.EVERLEAF_ENROLL_SERVER || undefined),
    cacert: cacert === undefined ? undefined : expandHome(cacert, terminal.home),
    server: options.server ?? (terminal.env.EVERLEAF_SERVER || undefined),
  });
};

const run = async (terminal: Terminal, options: EnrolOptions, version: string): Promise<void> => {
  const file = fileOf(terminal, options);
  const { openLog } = await import('../agent/log.ts');
  const log = openLog(terminal.err, Date.now, options.output === 'json' ? 'json' : 'plain');
  warn(terminal, options);
  if (options.fleetId !== undefined) {
    const { isEnrolled } = await import('../agent/enroll.ts');
    if (!isEnrolled(file)) {
      const { principal_id, client_cert } = await enrol(terminal, options, options.fleetId);
      log('info', 'enrolled', { principal_id, client_cert });
    }
  }
  const { keepSmall } = await import('../agent/footprint.ts');
  const rest = keepSmall();
  const { runAgent } = await import('../agent/agent.ts');
  const ending = new AbortController();
  const end = () => ending.abort();
  let reread = () => {};
  const again = () => reread();
  process.on('SIGTERM', end).on('SIGINT', end).on('SIGHUP', again);
  try {
    await runAgent(
      { now: Date.now, random: Math.random, rest },
      {
        ...{ file, version, log, stopping: ending.signal },
        onReread: (read) => {
          reread = read;
        },
      },
    );
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end).off('SIGHUP', again);
  }
};

const addEnrolling = (command: Command): Command =>
  command
    .option('--config <file>', 'the agent’s own file; EVERLEAF_AGENT_CONFIG, or ~/.everleaf/agent.json when not given')
    .option('--enroll-server <url>', 'where agents enrol; EVERLEAF_ENROLL_SERVER, or the file’s when not given')
    .option('--api-key-file <file>', 'holds a token of the fleet, or its key; - for standard input')
    .option('--api-key <key>', 'the token itself; whoever lists processes sees it');

/** Adds the noun and its verbs. The agent is loaded only when it runs. */
export const addAgent = (program: Command, terminal: Terminal): void => {
  // Not shown before a deployment enrols nodes.
  const noun = program
    .command('agent', { hidden: true })
    .description('the program on a node that renews what the node serves');

  addEnrolling(noun.command('run').description('report, renew and deploy until told to end; logs to standard error'))
    .option('--fleet-id <fleet>', 'enrol first, where this node has no certificate yet')
    .addHelpText(
      'after',
      `
What may run and be written on this node stands in the agent’s own file alone. SIGHUP has it read again, SIGTERM ends the
agent after the step at hand; killed, it takes up at its next start what it had begun. --output json logs one JSON object a line.`,
    )
    .action(async (_own: unknown, command: Command) =>
      run(terminal, command.optsWithGlobals<EnrolOptions>(), program.version() ?? ''),
    );

  addEnrolling(noun.command('enroll').description('make a key and get this node’s first certificate'))
    .requiredOption('--fleet-id <fleet>', 'which fleet the node joins')
    .action(async (_own: unknown, command: Command) => {
      const options = command.optsWithGlobals<EnrolOptions & { fleetId: string }>();
      warn(terminal, options);
      const enrolled = await enrol(terminal, options, options.fleetId);
      terminal.out(
        options.output === 'json'
          ? json(enrolled)
          : lines([
              ['Principal', enrolled.principal_id],
              ['Serial', enrolled.serial_number],
              ['Expires', date(enrolled.expires_at)],
              ['Certificate', enrolled.client_cert],
              ['Key', enrolled.client_key],
              ['Agent File', fileOf(terminal, options)],
            ]),
      );
    });
};
