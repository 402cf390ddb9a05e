/** `everleaf principal …`: who may call, and who no longer. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { principalIdSchema, principalStatuses, principalTypes } from '../principal/principal.ts';
import { Misuse } from './failure.ts';
import { readCount } from './options.ts';
import { date, json, lines, table } from './print.ts';
import { connect, readPages } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

const base = ['api', 'v1', 'principals'] as const;

const principalSchema = z.looseObject({
  principal_id: z.string(),
  status: z.string(),
  type: z.string().nullish(),
  created_at: z.number().optional(),
  suspended_at: z.number().optional(),
  suspended_reason: z.string().optional(),
});
type Shown = z.infer<typeof principalSchema>;
const pageSchema = z
  .object({ principals: z.array(principalSchema), next_token: z.string().optional() })
  .transform(({ principals, next_token }) => ({ rows: principals, next_token }));

/** Checked before it becomes part of a path. @throws Misuse */
export const checkPrincipalId = (id: string): string => {
  if (!principalIdSchema.safeParse(id).success)
    throw new Misuse(
      `principal-id: ${JSON.stringify(id)} must be 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit`,
    );
  return id;
};

const optionalDate = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : date(ms));

/** The runbook's lines. */
const describe = (principal: Shown): string =>
  lines([
    ['Principal', principal.principal_id],
    ['Status', principal.status],
    ['Suspended At', optionalDate(principal.suspended_at)],
    ['Suspended Reason', principal.suspended_reason],
  ]);

const show = (terminal: Terminal, options: ServerOptions, principal: Shown): void =>
  terminal.out(options.output === 'json' ? json(principal) : describe(principal));

/** Adds the noun and its verbs. */
export const addPrincipal = (program: Command, terminal: Terminal): void => {
  const noun = program.command('principal').description('users, workers, services, operators, auditors and admins');

  noun
    .command('create <principal-id>')
    .description('register a principal; its id is never reused, its type never changes')
    .addOption(new Option('--type <type>', 'what it is').choices(principalTypes).makeOptionMandatory())
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions & { type: string }>();
      const body = { principal_id: checkPrincipalId(id), type: options.type };
      const server = await connect(terminal, options);
      show(terminal, options, await server.send(principalSchema, { method: 'POST', path: base, body }));
    });

  noun
    .command('get <principal-id>')
    .description('show a principal')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions>();
      const path = [...base, checkPrincipalId(id)];
      const server = await connect(terminal, options);
      show(terminal, options, await server.send(principalSchema, { method: 'GET', path }));
    });

  noun
    .command('list')
    .description('list principals')
    .option('--status <status>', `only these: ${principalStatuses.join(', ')}`)
    .option('--type <type>', `only these: ${principalTypes.join(', ')}`)
    .option('--limit <count>', 'at most so many', readCount)
    .action(async (_own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions & { status?: string; type?: string; limit?: number }>();
      const { status, type, limit = Number.POSITIVE_INFINITY } = options;
      const server = await connect(terminal, options);
      const principals = await readPages(server, pageSchema, { path: base, query: { status, type }, most: limit });
      if (principals.length === 0 && options.output !== 'json') return terminal.err('No principals.\n');
      const row = (p: Shown) => [
        p.principal_id,
        p.type ?? '?',
        p.status,
        optionalDate(p.created_at) ?? '',
        p.suspended_reason ?? '',
      ];
      terminal.out(
        options.output === 'json'
          ? json({ principals })
          : table(['PRINCIPAL', 'TYPE', 'STATUS', 'CREATED', 'REASON'], principals.map(row)),
      );
    });

  noun
    .command('suspend <principal-id>')
    .description('let none of its certificates in, from its very next call on')
    .requiredOption('--reason <reason>', 'why; it is told to whoever is refused')
    .option('--force', 'suspend the last admin who can get in, too')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions & { reason: string; force?: true }>();
      const path = [...base, checkPrincipalId(id), 'suspend'];
      const body = { reason: options.reason, ...(options.force ? { force: true } : {}) };
      const server = await connect(terminal, options);
      show(terminal, options, await server.send(principalSchema, { method: 'POST', path, body }));
    });

  noun
    .command('activate <principal-id>')
    .description('let a suspended principal in again')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions>();
      const path = [...base, checkPrincipalId(id), 'activate'];
      const server = await connect(terminal, options);
      show(terminal, options, await server.send(principalSchema, { method: 'POST', path }));
    });
};
