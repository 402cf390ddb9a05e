/** `everleaf fleet …`: nodes that enrol under one name, and what lets them in. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { fleetIdSchema } from '../endpoint/ids.ts';
import { tokenKinds } from '../endpoint/token.ts';
import { deletedSchema } from './endpoint.ts';
import { describeFleet, fleetSchema, fleetsSchema, tableOfFleets } from './fleet-answers.ts';
import { fleetToken, type TokenOptions } from './fleet-token.ts';
import { bodyFrom } from './json-file.ts';
import { checkId, collect, readCount } from './options.ts';
import { json } from './print.ts';
import { connect, readPages } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

const base = ['api', 'v1', 'identity', 'fleets'] as const;

type PutOptions = ServerOptions & {
  readonly file?: string;
  readonly endpoint?: readonly string[];
  readonly pollAfterSeconds?: number;
  readonly closed?: true;
};

const units: Readonly<Record<string, number>> = { m: 60, h: 3_600, d: 86_400 };

/** In seconds. */
const readDuration = (text: string): number => {
  const [, count, unit = ''] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  const seconds = units[unit];
  if (seconds === undefined) throw new InvalidArgumentError('It must be like 30m, 24h or 7d.');
  return Number(count) * seconds;
};

const pathOf = (id: string): string[] => [...base, checkId('fleet-id', id, fleetIdSchema)];

const put = async (terminal: Terminal, id: string, options: PutOptions): Promise<void> => {
  const { endpoint: endpoint_ids, pollAfterSeconds: poll_after_seconds, closed } = options;
  const path = pathOf(id);
  const body = bodyFrom(terminal, options.file, { endpoint_ids, poll_after_seconds, closed });
  const server = await connect(terminal, options);
  const fleet = await server.send(fleetSchema, { method: 'PUT', path, body });
  terminal.out(options.output === 'json' ? json(fleet) : describeFleet(fleet));
};

/** Adds the noun and its verbs. */
export const addFleet = (program: Command, terminal: Terminal): void => {
  const noun = program.command('fleet').description('nodes that enrol under one name');

  noun
    .command('put <fleet-id>')
    .description('make a fleet, or replace its settings; its tokens and agents stay')
    .option('--endpoint <pattern>', 'an endpoint id that its agents may own, such as "web-*"; may be repeated', collect)
    .option(
      '--poll-after-seconds <seconds>',
      'how long idle agents wait before they ask again; 900 when not given',
      readCount,
    )
    .option('--closed', 'let nobody enrol')
    .option('--file <file>', 'a JSON file that says all of it instead; - for standard input')
    .action(async (id: string, _own: unknown, command: Command) =>
      put(terminal, id, command.optsWithGlobals<PutOptions>()),
    );

  noun
    .command('get <fleet-id>')
    .description('show a fleet and the tokens that let nodes into it')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions>();
      const path = pathOf(id);
      const server = await connect(terminal, options);
      const fleet = await server.send(fleetSchema, { method: 'GET', path });
      terminal.out(options.output === 'json' ? json(fleet) : describeFleet(fleet));
    });

  noun
    .command('list')
    .description('list fleets')
    .option('--limit <count>', 'at most so many', readCount)
    .action(async (_own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions & { limit?: number }>();
      const server = await connect(terminal, options);
      const most = options.limit ?? Number.POSITIVE_INFINITY;
      const fleets = await readPages(server, fleetsSchema, { path: base, most });
      if (fleets.length === 0 && options.output !== 'json') return terminal.err('No fleets.\n');
      terminal.out(options.output === 'json' ? json({ fleets }) : tableOfFleets(fleets));
    });

  noun
    .command('delete <fleet-id>')
    .description('delete a fleet that no endpoint belongs to, and its tokens')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServerOptions>();
      const path = pathOf(id);
      const server = await connect(terminal, options);
      const answer = await server.send(deletedSchema, { method: 'DELETE', path });
      terminal.out(options.output === 'json' ? json(answer) : `Deleted: ${id}\n`);
    });

  noun
    .command('token <fleet-id>')
    .description('make a token with which a node enrols, shown this once; or revoke one')
    .addOption(new Option('--kind <kind>', 'for one node, within an hour, or for any of the fleet').choices(tokenKinds))
    .option('--endpoint <pattern>', 'all that its agents may own, of what the fleet may; may be repeated', collect)
    .option('--expires-in <time>', 'such as 30m, 24h or 7d', readDuration)
    .option('--out <file>', 'where to write it, readable by you only; standard output when not given')
    .option('--revoke <token-id>', 'let nobody enrol with this one any more')
    .action(async (id: string, _own: unknown, command: Command) =>
      fleetToken(terminal, id, command.optsWithGlobals<TokenOptions>()),
    );
};
