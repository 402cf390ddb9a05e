/** The command line as a whole: `everleaf <noun> <verb>`, its options, and the exit code that it ends with. */
import { Command, CommanderError, Option } from 'commander';
import { InvalidInput } from '../errors.ts';
import { addAgent } from './agent.ts';
import { addAudit } from './audit.ts';
import { addBootstrap } from './bootstrap.ts';
import { addCertificate } from './certificate.ts';
import { addCompletion } from './completion.ts';
import { addEndpoint } from './endpoint.ts';
import { Misuse } from './failure.ts';
import { addFleet } from './fleet.ts';
import { addInventory } from './inventory.ts';
import { addPolicy } from './policy.ts';
import { addPrincipal } from './principal.ts';
import { clean } from './print.ts';
import { addRenewal } from './renewal.ts';
import type { Terminal } from './terminal.ts';

/** Written in by the build, from package.json. */
declare const EVERLEAF_VERSION: string | undefined;
const version = typeof EVERLEAF_VERSION === 'string' ? EVERLEAF_VERSION : 'run from source';

const buildProgram = (terminal: Terminal): Command => {
  const program = new Command('everleaf')
    .description('machine identities that renew, rotate and get revoked')
    .version(version)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      outputError: (text, write) => write(text.replace(/^error: /, 'everleaf: ')),
    })
    .option('--server <url>', 'the API, such as https://api.example.com')
    .option('--cacert <file>', 'CA certificates that verify the server; the system’s when not given')
    .option('--client-cert <file>', 'the certificate to present')
    .option('--client-key <file>', 'its private key')
    .option('--passphrase-file <file>', 'holds the passphrase of an encrypted key')
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
Options may also stand in the environment, as EVERLEAF_SERVER, EVERLEAF_CACERT, EVERLEAF_CLIENT_CERT,
EVERLEAF_CLIENT_KEY and EVERLEAF_PASSPHRASE_FILE, or in ~/.everleaf/config.json:
{"server": "…", "cacert": "…", "client_cert": "…", "client_key": "…"}.
Exit code: 0 done, 1 refused or failed, 2 used wrongly.`,
    );
  addPrincipal(program, terminal);
  addCertificate(program, terminal);
  addInventory(program, terminal);
  addEndpoint(program, terminal);
  addPolicy(program, terminal);
  addFleet(program, terminal);
  addRenewal(program, terminal);
  addAudit(program, terminal);
  addBootstrap(program, terminal);
  addAgent(program, terminal);
  addCompletion(program, terminal);
  return program;
};

/** Runs one command. Answers the exit code: 0 done, 1 refused or failed, 2 used wrongly. */
export const run = async (args: readonly string[], terminal: Terminal): Promise<0 | 1 | 2> => {
  try {
    await buildProgram(terminal).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has said it already. Asking for help or the version is no mistake.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    // Servers, their certificates and files have a say in messages.
    const said = error instanceof Error ? error.message : String(error);
    terminal.err(`everleaf: ${clean(said.replaceAll('\n', ' '))}\n`);
    return error instanceof Misuse || error instanceof InvalidInput ? 2 : 1;
  }
};
