/** `everleaf endpoint …`: the places that serve certificates. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { validators } from '../endpoint/endpoint-settings.ts';
import { endpointIdSchema } from '../endpoint/ids.ts';
import { readInventory } from './inventory.ts';
import { describeEndpoint, endpointSchema, tableOfEndpoints, warningsSchema } from './inventory-answers.ts';
import { bodyFrom } from './json-file.ts';
import { checkId, collect, readCount } from './options.ts';
import { clean, json } from './print.ts';
import { connect } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

const base = ['api', 'v1', 'identity', 'endpoints'] as const;

type PutOptions = ServerOptions & {
  readonly file?: string;
  readonly dnsName?: readonly string[];
  readonly policy?: string;
  readonly fleet?: string;
  readonly agent?: string;
  readonly host?: string;
  readonly port?: number;
  readonly serverName?: string;
  readonly validateFrom?: string;
  readonly acmCertificate?: string;
};

const putSchema = endpointSchema.extend({ warnings: warningsSchema });
export const deletedSchema = z.looseObject({ deleted: z.literal(true) });

const pathOf = (id: string): string[] => [...base, checkId('endpoint-id', id, endpointIdSchema)];

const bodyOf = (options: PutOptions) => ({
  names: options.dnsName,
  policy_id: options.policy,
  fleet_id: options.fleet,
  agent_id: options.agent,
  host: options.host,
  port: options.port,
  server_name: options.serverName,
  validate_from: options.validateFrom,
  deployer: options.acmCertificate === undefined ? undefined : { kind: 'acm', certificate_arn: options.acmCertificate },
});

const put = async (terminal: Terminal, id: string, options: PutOptions): Promise<void> => {
  const path = pathOf(id);
  const body = bodyFrom(terminal, options.file, bodyOf(options));
  const server = await connect(terminal, options);
  const endpoint = await server.send(putSchema, { method: 'PUT', path, body });
  for (const { message } of endpoint.warnings) terminal.err(`warning: ${clean(message)}\n`);
  terminal.out(options.output === 'json' ? json(endpoint) : describeEndpoint(endpoint));
};

/** Adds the noun and its verbs. */
export const addEndpoint = (program: Command, terminal: Terminal): void => {
  const noun = program.command('endpoint').description('the places that serve certificates');

  noun
    .command('put <endpoint-id>')
    .description('make an endpoint, or replace what is said of it')
    .option('--dns-name <name>', 'a name or address for its certificate; the first is the common name', collect)
    .option('--policy <policy-id>', 'how it is renewed: 47-day, 100-day, 200-day, mtls, or one of your own')
    .option('--fleet <fleet-id>', 'whose agents may serve it')
    .option('--agent <principal-id>', 'the agent that serves it; the first of the fleet that names it when not given')
    .option('--host <host>', 'where it is dialled; its first name when not given')
    .option('--port <port>', '443 when not given', readCount)
    .option('--server-name <name>', 'what is asked for when it is dialled')
    .addOption(new Option('--validate-from <side>', 'who dials it').choices(validators))
    .option('--acm-certificate <arn>', 'it is served by AWS, from this certificate in ACM')
    .option('--file <file>', 'a JSON file that says all of it instead; - for standard input')
    .action(async (id: string, _own: unknown, command: Command) =>
      put(terminal, id, command.optsWithGlobals<PutOptions>()),
    );

  noun
    .command('get <endpoint-id>')
    .description('show an endpoint')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions>();
      const path = pathOf(id);
      const server = await connect(terminal, options);
      const endpoint = await server.send(endpointSchema, { method: 'GET', path });
      terminal.out(options.output === 'json' ? json(endpoint) : describeEndpoint(endpoint));
    });

  noun
    .command('list')
    .description('list endpoints; `inventory` shows their agents as well')
    .option('--limit <count>', 'at most so many', readCount)
    .action(async (_own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions & { limit?: number }>();
      const { endpoints } = await readInventory(terminal, options);
      if (endpoints.length === 0 && options.output !== 'json') return terminal.err('No endpoints.\n');
      terminal.out(options.output === 'json' ? json({ endpoints }) : tableOfEndpoints(endpoints));
    });

  noun
    .command('delete <endpoint-id>')
    .description('renew it no more; what it serves goes on being served')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions>();
      const path = pathOf(id);
      const server = await connect(terminal, options);
      const answer = await server.send(deletedSchema, { method: 'DELETE', path });
      terminal.out(options.output === 'json' ? json(answer) : `Deleted: ${id}\n`);
    });
};
