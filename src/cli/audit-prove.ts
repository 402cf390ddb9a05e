/** `everleaf audit prove`: an entry's proof, as `audit verify --file` and anybody else can check it. */
import { z } from 'zod';
import { checkEntry } from '../audit/check-proof.ts';
import { signedHeadSchema } from '../audit/head.ts';
import { Refused } from './failure.ts';
import { checkWritable, expandHome, publicMode, replaceFile } from './files.ts';
import { json } from './print.ts';
import { connect } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** What the server answers, and what stands in the file. */
export const proofSchema = z.object({
  entry: z.record(z.string(), z.unknown()),
  bytes: z.string(),
  sequence: z.number(),
  head: signedHeadSchema,
  path: z.array(z.string()),
  public_key: z.string(),
  key_sha256: z.string(),
});

/** @throws Refused when the server's proof proves nothing */
export const proveEntry = async (
  terminal: Terminal,
  sequence: number,
  options: ServerOptions & { readonly to?: string },
): Promise<void> => {
  const file = options.to === undefined || options.to === '-' ? null : expandHome(options.to, terminal.home);
  if (file !== null) checkWritable(file, '--to');
  const server = await connect(terminal, options);
  const path = ['api', 'v1', 'identity', 'audit', String(sequence), 'proof'];
  const proof = await server.send(proofSchema, { method: 'GET', path });
  const checked = checkEntry(proof.head, { bytes: proof.bytes, path: proof.path });
  if ('wrong' in checked || checked.entry.sequence !== sequence)
    throw new Refused(`the server's proof does not hold for entry ${sequence}; run everleaf audit verify`);
  if (file === null) terminal.out(json(proof));
  else replaceFile(file, json(proof), publicMode);
};
