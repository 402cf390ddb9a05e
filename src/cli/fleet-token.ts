/** `everleaf fleet token`: lets nodes into a fleet, or no longer. */
import { fleetIdSchema } from '../endpoint/ids.ts';
import { tokenIdSchema } from '../endpoint/token.ts';
import { Misuse } from './failure.ts';
import { checkWritable, expandHome, privateMode, readIfThere, writeAtomically } from './files.ts';
import { describeToken, madeTokenSchema, revokedTokenSchema } from './fleet-answers.ts';
import { checkId } from './options.ts';
import { json, lines } from './print.ts';
import { connect } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

export type TokenOptions = ServerOptions & {
  readonly kind?: string;
  readonly endpoint?: readonly string[];
  readonly expiresIn?: number;
  readonly out?: string;
  readonly revoke?: string;
};

const pathOf = (fleet_id: string): string[] => [
  ...['api', 'v1', 'identity', 'fleets'],
  checkId('fleet-id', fleet_id, fleetIdSchema),
  'tokens',
];

const make = async (terminal: Terminal, fleet_id: string, options: TokenOptions): Promise<void> => {
  const { kind, endpoint: endpoint_ids, expiresIn: expires_in_seconds } = options;
  const path = pathOf(fleet_id);
  const given = Object.entries({ kind, endpoint_ids, expires_in_seconds }).filter(([, value]) => value !== undefined);
  const file = options.out === undefined ? undefined : expandHome(options.out, terminal.home);
  // Whoever reads it now would lose it.
  if (file !== undefined && readIfThere(file, '--out') !== null)
    throw new Misuse(`--out: ${file} exists; name another file`);
  if (file !== undefined) checkWritable(file, '--out');
  const server = await connect(terminal, options);
  const made = await server.send(madeTokenSchema, { method: 'POST', path, body: Object.fromEntries(given) });
  const { token, ...rest } = made;
  if (file !== undefined) writeAtomically(file, `${token}\n`, privateMode);
  if (options.output === 'json') return terminal.out(json(file === undefined ? made : { ...rest, file }));
  if (file !== undefined) return terminal.out(describeToken(made) + lines([['File', file]]));
  // Alone on standard output, so that it can be piped into a file.
  terminal.err(describeToken(made));
  terminal.out(`${token}\n`);
};

const revoke = async (terminal: Terminal, fleet_id: string, token: string, options: TokenOptions): Promise<void> => {
  const { kind, endpoint, expiresIn, out } = options;
  const other = Object.entries({ '--kind': kind, '--endpoint': endpoint, '--expires-in': expiresIn, '--out': out });
  for (const [name, value] of other)
    if (value !== undefined) throw new Misuse(`${name}: makes a token; it does not go with --revoke`);
  const path = [...pathOf(fleet_id), checkId('--revoke', token, tokenIdSchema)];
  const server = await connect(terminal, options);
  const revoked = await server.send(revokedTokenSchema, { method: 'DELETE', path });
  const told = lines([
    ['Token ID', revoked.token_id],
    ['Status', revoked.status],
  ]);
  terminal.out(options.output === 'json' ? json(revoked) : told);
};

/** @throws Misuse naming the option; Refused */
export const fleetToken = (terminal: Terminal, fleet_id: string, options: TokenOptions): Promise<void> =>
  options.revoke === undefined
    ? make(terminal, fleet_id, options)
    : revoke(terminal, fleet_id, options.revoke, options);
