/** `everleaf inventory`: what is served where, until when, and by which agent. */
import type { Command } from 'commander';
import { inventorySchema, tableOfAgents, tableOfEndpoints } from './inventory-answers.ts';
import { readCount, readWhole } from './options.ts';
import { json } from './print.ts';
import { connect, readPages } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

type InventoryOptions = ServerOptions & { readonly expiryWithinDays?: number; readonly limit?: number };

/** The pages of the inventory, taken apart again. */
export const readInventory = async (terminal: Terminal, options: InventoryOptions) => {
  const { expiryWithinDays, limit = Number.POSITIVE_INFINITY } = options;
  const server = await connect(terminal, options);
  const rows = await readPages(server, inventorySchema, {
    path: ['api', 'v1', 'identity', 'inventory'],
    query: { expiry_within_days: expiryWithinDays === undefined ? undefined : String(expiryWithinDays) },
    most: limit,
  });
  return {
    endpoints: rows.flatMap((row) => ('endpoint' in row ? [row.endpoint] : [])),
    agents: rows.flatMap((row) => ('agent' in row ? [row.agent] : [])),
  };
};

/** Adds the command. */
export const addInventory = (program: Command, terminal: Terminal): void => {
  program
    .command('inventory')
    .description('show what each endpoint serves, until when, and when its agent was last heard of')
    .option(
      '--expiry-within-days <days>',
      'only what ends within so many days, or ended in the last 30; the first to end first',
      readWhole,
    )
    .option('--limit <count>', 'at most so many', readCount)
    .action(async (_own: unknown, command: Command) => {
      const options = command.optsWithGlobals<InventoryOptions>();
      const { endpoints, agents } = await readInventory(terminal, options);
      if (options.output === 'json') return terminal.out(json({ endpoints, agents }));
      if (endpoints.length === 0) terminal.err('No endpoints.\n');
      else terminal.out(tableOfEndpoints(endpoints));
      if (agents.length > 0) terminal.out(`${endpoints.length > 0 ? '\n' : ''}${tableOfAgents(agents)}`);
    });
};
