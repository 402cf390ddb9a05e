/** `everleaf audit …`: who changed what, and proof that nothing of it was altered. */
import { type Command, InvalidArgumentError } from 'commander';
import type { z } from 'zod';
import { actionSchema, subjectSchema } from '../audit/filters.ts';
import { sinceSchema } from '../audit/since.ts';
import { type ExportOptions, exportChain } from './audit-export.ts';
import { verifyFile } from './audit-file.ts';
import { type ListOptions, listEntries, usualCount } from './audit-list.ts';
import { proveEntry } from './audit-prove.ts';
import { verifyChain } from './audit-verify.ts';
import { Misuse } from './failure.ts';
import { readCount } from './options.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

const readSince = (text: string): string => {
  const { success, error } = sinceSchema.safeParse(text);
  if (!success) throw new InvalidArgumentError(`It ${error.issues[0]?.message}.`);
  return text;
};
const readWord = (text: string): string => {
  if (text === '' || text.length > 512) throw new InvalidArgumentError('It must have 1 to 512 characters.');
  return text;
};

const readBy =
  (schema: z.ZodType<string>) =>
  (text: string): string => {
    const { success, error } = schema.safeParse(text);
    if (!success) throw new InvalidArgumentError(`It ${error.issues[0]?.message}.`);
    return text;
  };

type VerifyOptions = ServerOptions & {
  readonly sinceHead?: true;
  readonly file?: string;
  readonly publicKey?: string;
  readonly deployment?: string;
};

const verify = (terminal: Terminal, options: VerifyOptions): Promise<void> => {
  const { file, publicKey, deployment, sinceHead } = options;
  if (file === undefined) {
    for (const [name, value] of Object.entries({ '--public-key': publicKey, '--deployment': deployment }))
      if (value !== undefined) throw new Misuse(`${name}: goes with --file, which is missing`);
    return verifyChain(terminal, options);
  }
  if (sinceHead) throw new Misuse('--since-head: a file is always checked as a whole');
  return verifyFile(terminal, { file, publicKey, deployment, output: options.output });
};

/** Adds the noun and its verbs. */
export const addAudit = (program: Command, terminal: Terminal): void => {
  const noun = program.command('audit').description('who changed what, and proof that nothing of it was altered');

  noun
    .command('list')
    .description('list entries, the newest first')
    .option(
      '--since <time>',
      'only what was entered since: 30m, 24h, 7d, or a time like 2024-12-25T10:30:00Z',
      readSince,
    )
    .option('--action <action>', 'only this action, such as principal_suspended or out_of_band', readBy(actionSchema))
    .option('--actor <actor>', 'only what this principal, function or workflow did', readWord)
    .option('--subject <subject>', 'only what was done to this, such as principals/worker-1', readBy(subjectSchema))
    .option('--limit <count>', `at most so many; ${usualCount} when neither this nor --since is given`, readCount)
    .addHelpText(
      'after',
      `
out_of_band: the change was made behind Everleaf's back, in the table or the account itself. stamp_forged: it was, and
made to look like one of Everleaf's. Both say what changed.`,
    )
    .action(async (_own: unknown, command: Command) => listEntries(terminal, command.optsWithGlobals<ListOptions>()));

  noun
    .command('verify')
    .description('check that no entry was altered, removed or inserted; ends with 1 when one was')
    .option('--since-head', 'the quick one: only what came since the last signed head')
    .option('--file <file>', 'check a proof or an export offline, with no server, instead')
    .option('--public-key <file>', "the public half of the deployment's audit key; with --file")
    .option('--deployment <name/environment>', 'which deployment must have signed; with --file')
    .addHelpText(
      'after',
      `
The public key is best had from AWS itself, once, by whoever trusts nobody else:
  aws kms get-public-key --key-id <AuditKeyArn of the stack's outputs> --query PublicKey --output text > audit-key.txt
That text, DER in Base64, and PEM are both read.`,
    )
    .action(async (_own: unknown, command: Command) => verify(terminal, command.optsWithGlobals<VerifyOptions>()));

  noun
    .command('prove')
    .argument('<sequence>', "the entry's sequence", readCount)
    .description('print the proof that an entry is in the chain, for audit verify --file')
    .option('--to <file>', 'write it there; standard output when not given')
    .action(async (sequence: number, _own: unknown, command: Command) =>
      proveEntry(terminal, sequence, command.optsWithGlobals<ServerOptions & { to?: string }>()),
    );

  noun
    .command('export')
    .description('write the whole chain with its proofs, for audit verify --file')
    .option('--to <file>', 'where to; goes on with a file that was cut. Standard output when not given, or -')
    .option('--from-sequence <sequence>', 'begin with this entry', readCount)
    .action(async (_own: unknown, command: Command) => exportChain(terminal, command.optsWithGlobals<ExportOptions>()));
};
