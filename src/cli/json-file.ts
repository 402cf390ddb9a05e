/** What a command is told by a JSON file, or on standard input, in place of options. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { Misuse } from './failure.ts';
import { expandHome, readText } from './files.ts';
import { parseJson } from './request.ts';
import type { Terminal } from './terminal.ts';

const standardInput = 0;
const objectSchema = z.record(z.string(), z.unknown());

type Fields = Readonly<Record<string, unknown>>;

/** @throws Misuse when it is no JSON object */
const readObject = (terminal: Terminal, file: string): Fields => {
  const text = file === '-' ? readFileSync(standardInput, 'utf8') : readText(expandHome(file, terminal.home), '--file');
  const { data } = objectSchema.safeParse(parseJson(text));
  if (data === undefined) throw new Misuse(`--file: ${file} holds no JSON object`);
  return data;
};

/** The body from `--file`, or from the options when there is none. @throws Misuse when both are given */
export const bodyFrom = (terminal: Terminal, file: string | undefined, options: Fields): Fields => {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  if (file === undefined) return given;
  if (Object.keys(given).length > 0) throw new Misuse('--file: says everything; give it, or the other options');
  return readObject(terminal, file);
};
