/** `everleaf bootstrap`: from a deployed stack to files that one can work with, or a renewed server certificate. */
import { type Command, Option } from 'commander';
import { type BootstrapOptions, bootstrapDeployment } from './bootstrap-deployment.ts';
import { Misuse, Refused } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** What the SDK says when AWS itself cannot be asked. */
const explainAws = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error;
  if (error.name === 'CredentialsProviderError')
    return new Refused('no AWS credentials found: set AWS_PROFILE or the AWS_ACCESS_KEY_ID variables');
  if (/^Region is missing/.test(error.message))
    return new Misuse('--aws-region: no region found; give it, or set AWS_REGION');
  if (
    [
      'AccessDenied',
      'AccessDeniedException',
      'ExpiredToken',
      'ExpiredTokenException',
      'UnrecognizedClientException',
    ].includes(error.name)
  )
    return new Refused(`AWS refused: ${error.message}`);
  if ('code' in error && ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT'].includes(String(error.code)))
    return new Refused(`cannot reach AWS (${String(error.code)}): check the region and the network`);
  return error;
};

/** Adds the command. AWS's clients are loaded only when it runs. */
export const addBootstrap = (program: Command, terminal: Terminal): void => {
  program
    .command('bootstrap')
    .description('set up admins and the server certificate of a deployed stack; uses AWS credentials')
    .addOption(new Option('--environment <name>', 'which environment').makeOptionMandatory())
    .addOption(new Option('--domain <name>', 'the domain of its API').makeOptionMandatory())
    .option('--aws-region <region>', "where it is deployed; AWS's own configuration when not given")
    .option('--output-dir <folder>', 'where the files go; ~/.{name} when not given')
    .option('--name <name>', "the deployment's name; EVERLEAF_NAME, or the deployed stack's, when not given")
    .option('--admin', 'issue fresh certificates for both admins, too')
    .addHelpText(
      'after',
      `
The first run makes the admins admin-bootstrap and admin-emergency; the key of the latter is sealed with a passphrase that
is asked for, or read from --passphrase-file. Later runs renew the server certificate only, unless --admin is given.
Files are never overwritten without keeping .prev. A run that stopped halfway may simply be repeated.`,
    )
    .action(async (_own: unknown, command: Command) => {
      const { openOperator } = await import('../aws/operator.ts');
      const options = command.optsWithGlobals<BootstrapOptions>();
      try {
        await bootstrapDeployment(terminal, openOperator(options.awsRegion), options);
      } catch (error) {
        throw explainAws(error);
      }
    });
};
