/** `everleaf audit prove`: an entry's proof, as `audit verify --file` and anybody else can check it. */
import { lstatSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { checkEntry } from '../audit/check-proof.ts';
import { signedHeadSchema } from '../audit/head.ts';
import { headWords } from './audit-answers.ts';
import { Misuse, Refused } from './failure.ts';
import { checkWritable, expandHome, isOurs, publicMode, reason, writeAtomically } from './files.ts';
import { json, lines } from './print.ts';
import { connect, parseJson } from './request.ts';
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

/** Bytes; no proof is larger. */
const largestProof = 2_000_000;

/** Nothing may be lost: only an earlier proof, which can be asked for again, and an empty file are replaced. @throws Misuse */
const checkReplaceable = (file: string): void => {
  checkWritable(file, '--to');
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (found.isSymbolicLink()) throw new Misuse(`--to: cannot write ${file}: it is a symbolic link`);
  if (found.isDirectory()) throw new Misuse(`--to: cannot write ${file}: it is a folder`);
  if (!found.isFile()) throw new Misuse(`--to: ${file} is not a file`);
  if (!isOurs(found)) throw new Misuse(`--to: ${file} belongs to another user; name another file`);
  if (found.size > 0 && (found.size > largestProof || !holdsProof(file)))
    throw new Misuse(`--to: ${file} holds something else; name another file`);
};

const holdsProof = (file: string): boolean => {
  try {
    return proofSchema.safeParse(parseJson(readFileSync(file, 'utf8'))).success;
  } catch (error) {
    throw new Misuse(`--to: cannot read ${file}: ${reason(error)}`);
  }
};

/** @throws Misuse naming --to; Refused when the server's proof proves nothing */
export const proveEntry = async (
  terminal: Terminal,
  sequence: number,
  options: ServerOptions & { readonly to?: string },
): Promise<void> => {
  const file = options.to === undefined || options.to === '-' ? null : expandHome(options.to, terminal.home);
  if (file !== null) checkReplaceable(file);
  const server = await connect(terminal, options);
  const path = ['api', 'v1', 'identity', 'audit', String(sequence), 'proof'];
  const proof = await server.send(proofSchema, { method: 'GET', path });
  const checked = checkEntry(proof.head, { bytes: proof.bytes, path: proof.path });
  if ('wrong' in checked || checked.entry.sequence !== sequence)
    throw new Refused(`the server's proof does not hold for entry ${sequence}; run everleaf audit verify`);
  if (file === null) return terminal.out(json(proof));
  checkReplaceable(file);
  writeAtomically(file, json(proof), publicMode);
  const { action, subject, actor } = checked.entry;
  terminal.out(
    options.output === 'json'
      ? json({ file, sequence, head: proof.head })
      : lines([
          ['File', file],
          ['Entry', `${sequence}: ${action} of ${subject} by ${actor}`],
          ['Head', headWords(proof.head)],
        ]),
  );
};
