/** `everleaf renewal …`: replacing endpoints' certificates. */
import { type Command, InvalidArgumentError } from 'commander';
import { endpointIdSchema, policyIdSchema } from '../endpoint/ids.ts';
import { jobIdSchema } from '../renewal/job.ts';
import { statuses } from '../renewal/status.ts';
import { checkId, readCount } from './options.ts';
import { json } from './print.ts';
import {
  type Begun,
  begunSchema,
  describeRenewal,
  renewalSchema,
  renewalsSchema,
  tableOfBegun,
  tableOfRenewals,
} from './renewal-answers.ts';
import { watchRenewals } from './renewal-watch.ts';
import { connect, readPages } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

const base = ['api', 'v1', 'identity', 'renewals'] as const;
/** As many as one request may name. */
const atOnce = 100;

const readStatus = (text: string): string => {
  if (!statuses.some((status) => status === text.toUpperCase()))
    throw new InvalidArgumentError(`It must be one of ${statuses.join(', ')}.`);
  return text.toUpperCase();
};
const pathOf = (id: string): string[] => [...base, checkId('job-id', id, jobIdSchema)];

type RunOptions = ServerOptions & { readonly policy?: string; readonly watch?: true };

const run = async (terminal: Terminal, ids: readonly string[], options: RunOptions): Promise<void> => {
  for (const id of ids) checkId('endpoint-id', id, endpointIdSchema);
  const policy_id = options.policy === undefined ? undefined : checkId('--policy', options.policy, policyIdSchema);
  const server = await connect(terminal, options);
  const jobs: Begun[] = [];
  for (let start = 0; start < ids.length; start += atOnce) {
    const body = { endpoint_ids: ids.slice(start, start + atOnce), policy_id };
    jobs.push(...(await server.send(begunSchema, { method: 'POST', path: [...base, 'run'], body })).jobs);
  }
  if (options.watch)
    return watchRenewals(
      terminal,
      jobs.map(({ job_id }) => job_id),
      options,
    );
  terminal.out(options.output === 'json' ? json({ jobs }) : tableOfBegun(jobs));
};

/** Adds the noun and its verbs. */
export const addRenewal = (program: Command, terminal: Terminal): void => {
  const noun = program.command('renewal', { hidden: true }).description("replacing endpoints' certificates");

  noun
    .command('run <endpoint-id...>')
    .description('renew them now; one that is being renewed already answers with that renewal')
    .option('--policy <policy-id>', "by this policy in place of each endpoint's own")
    .option('--watch', 'follow them to their end')
    .action(async (ids: string[], _own: unknown, command: Command) =>
      run(terminal, ids, command.optsWithGlobals<RunOptions>()),
    );

  noun
    .command('get <job-id>')
    .description('show a renewal, and how it came there')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions>();
      const path = pathOf(id);
      const server = await connect(terminal, options);
      const renewal = await server.send(renewalSchema, { method: 'GET', path });
      terminal.out(options.output === 'json' ? json(renewal) : describeRenewal(renewal));
    });

  noun
    .command('list')
    .description('list renewals, the newest first')
    .option('--status <status>', 'only those in this state, such as PENDING or failed', readStatus)
    .option('--endpoint <endpoint-id>', "only this endpoint's")
    .option('--limit <count>', 'at most so many', readCount)
    .action(async (_own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions & { status?: string; endpoint?: string; limit?: number }>();
      const { status, endpoint, limit: most = Number.POSITIVE_INFINITY } = options;
      const endpoint_id = endpoint === undefined ? undefined : checkId('--endpoint', endpoint, endpointIdSchema);
      const server = await connect(terminal, options);
      const jobs = await readPages(server, renewalsSchema, { path: base, query: { status, endpoint_id }, most });
      if (options.output === 'json') return terminal.out(json({ jobs }));
      if (jobs.length === 0) return terminal.err('No renewals.\n');
      terminal.out(tableOfRenewals(jobs));
    });

  noun
    .command('rollback <job-id>')
    .description('end a renewal, with the certificate of before in its place')
    .requiredOption('--reason <reason>', 'why; it stays with the renewal and in the audit')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions & { reason: string }>();
      const path = [...pathOf(id), 'rollback'];
      const server = await connect(terminal, options);
      const renewal = await server.send(renewalSchema, { method: 'POST', path, body: { reason: options.reason } });
      terminal.out(options.output === 'json' ? json(renewal) : describeRenewal(renewal));
    });

  noun
    .command('watch <job-id...>')
    .description('follow renewals to their end; ends with 1 when one did not succeed')
    .action(async (ids: string[], _own: unknown, command: Command) => {
      for (const id of ids) pathOf(id);
      await watchRenewals(terminal, ids, command.optsWithGlobals<ServerOptions>());
    });
};
